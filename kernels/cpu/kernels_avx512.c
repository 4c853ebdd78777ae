/* AVX-512: 32 registers of 16 floats. A tile of 14 x 2 vectors leaves room for the panel's two and one broadcast. */
#if defined(__AVX512F__)
#include <immintrin.h>
#include <stdint.h>

typedef float vector __attribute__((vector_size(64)));
typedef int32_t integers __attribute__((vector_size(64)));
#define vector_low_pairs(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define vector_high_pairs(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LANES 16
#define ROWS 14
#define WIDTH 2
#define vector_larger(a, b) ((vector)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define vector_sum(a) _mm512_reduce_add_ps((__m512)(a))
#define vector_largest(a) _mm512_reduce_max_ps((__m512)(a))
#ifndef KERNELS_NAME
#define KERNELS_NAME avx512
#endif
#define KERNELS_SET "avx512"
#include "kernels_source.h"
#endif
