/* AVX-512 where the processor adds beside its multipliers. Eleven rows leave room for the three rows of a panel that a step takes, and for four sums. */
#define PAIRED
#define ROWS 11
#define KERNELS_NAME avx512_paired
#include "kernels_avx512.c"
