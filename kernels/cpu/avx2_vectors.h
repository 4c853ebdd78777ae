/* What the kernels in integers do with vectors by AVX2 (see reduced_source.h), and those in f32 too. */
#include <immintrin.h>
#include <stdint.h>

typedef float vector __attribute__((vector_size(32)));
typedef int32_t integers __attribute__((vector_size(32)));
#define LANES 8
#define fused(a, b, c) ((vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define to_floats(sum) ((vector)_mm256_cvtepi32_ps((__m256i)(sum)))
#define vector_larger(a, b) ((vector)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define vector_smaller(a, b) ((vector)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define swap_halves(v) ((vector)_mm256_permute2f128_ps((__m256)(v), (__m256)(v), 1))
#define swap_quarters(v) ((vector)_mm256_permute_ps((__m256)(v), 0x4e))

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

#ifdef INT8
/* Four vectors, to the nearest of 0 .. 255. */
static inline void store_bytes(char *at, const vector v[4])
{
    const __m256i first = _mm256_packs_epi32(_mm256_cvtps_epi32((__m256)v[0]), _mm256_cvtps_epi32((__m256)v[1]));
    const __m256i second = _mm256_packs_epi32(_mm256_cvtps_epi32((__m256)v[2]), _mm256_cvtps_epi32((__m256)v[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* halves of the vectors stand side by side, by fours */
    _mm256_storeu_si256((__m256i *)at, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second), order));
}
#endif
