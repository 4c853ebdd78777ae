/* AVX2 with FMA: 16 registers of 8 floats. A tile of 4 x 3 vectors takes 7 loads for 12 multiply-adds, one of 6 x 2 (for which heads are wide enough) 8. */
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#include <stdint.h>

typedef float vector __attribute__((vector_size(32)));
typedef int32_t integers __attribute__((vector_size(32)));

static inline float vector_sum(vector a)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

static inline float vector_largest(vector a)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

#define vector_low_pairs(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define vector_high_pairs(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LANES 8
#define ROWS 6
#define WIDTH 2
#define LINEAR_ROWS 4
#define LINEAR_WIDTH 3
#define vector_larger(a, b) ((vector)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define KERNELS_NAME avx2
#define KERNELS_SET "avx2"
#include "kernels_source.h"
#endif
