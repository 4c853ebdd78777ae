/* AVX2 with FMA: 16 registers of 8 floats. A tile of 4 x 3 vectors takes 7 loads for 12 multiply-adds, one of 6 x 2 (for which heads are wide enough) 8. */
#if defined(__AVX2__) && defined(__FMA__)
#include "avx2_vectors.h"

#define vector_low_pairs(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define vector_high_pairs(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ROWS 6
#define WIDTH 2
#define LINEAR_ROWS 4
#define LINEAR_WIDTH 3
#define KERNELS_NAME avx2
#define KERNELS_SET "avx2"
#include "kernels_source.h"
#endif
