/* AVX-512 where the processor adds beside its multipliers. Twelve rows leave room for the three rows of a panel that a step takes, and two sums. */
#define PAIRED_ROWS 12
#define KERNELS_NAME avx512_paired
#include "kernels_avx512.c"
