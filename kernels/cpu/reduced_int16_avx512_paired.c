/* The same by pairs, for processors that add beside their multipliers. Eleven rows leave room for the three rows of a panel that a step takes, and for four sums. */
#define PAIRED
#define ROWS 11
#define WIDTH 2
#define REDUCED_NAME reduced_int16_avx512_paired
#include "reduced_int16_avx512.c"
