/* AVX-512: 32 registers of 16 floats. A tile of 14 x 2 vectors leaves room for the panel's two and one broadcast, one of 6 x 4 for the panel's four. The latter takes 10 loads
 * for 24 multiply-adds, the former 16 for 28: on Intel's Ice Lake, products came to 95 % of the peak instead of 80 to 88 %. Heads are too narrow for it. */
#if defined(__AVX512F__)
#include "avx512_vectors.h"

#define vector_low_pairs(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define vector_high_pairs(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define WIDTH 2
#ifndef ROWS
#define ROWS 14
#define LINEAR_ROWS 6
#define LINEAR_WIDTH 4
#endif
#ifndef KERNELS_NAME
#define KERNELS_NAME avx512
#endif
#define KERNELS_SET "avx512"
#include "kernels_source.h"
#endif
