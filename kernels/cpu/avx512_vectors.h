/* What the kernels in integers do with vectors by AVX-512 (see reduced_source.h), and those in f32 too. */
#include <immintrin.h>
#include <stdint.h>

typedef float vector __attribute__((vector_size(64)));
typedef int32_t integers __attribute__((vector_size(64)));
#define LANES 16
#define fused(a, b, c) ((vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define to_floats(sum) ((vector)_mm512_cvtepi32_ps((__m512i)(sum)))
#define floats_of_halves(halves) ((vector)_mm512_cvtph_ps((__m256i)(halves)))
#define vector_larger(a, b) ((vector)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define vector_smaller(a, b) ((vector)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define integers_smaller(a, b) ((integers)_mm512_min_epi32((__m512i)(a), (__m512i)(b)))
#define look_up(table, numbers) ((vector)_mm512_permutex2var_ps(_mm512_loadu_ps(table), (__m512i)(numbers), _mm512_loadu_ps((table) + LANES)))
#define shifted(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16) /* a[1 ..] and then b[0] */
#define vector_sum(a) _mm512_reduce_add_ps((__m512)(a))
#define vector_largest(a) _mm512_reduce_max_ps((__m512)(a))
#define swap_halves(v) ((vector)_mm512_shuffle_f32x4((__m512)(v), (__m512)(v), 0x4e))
#define swap_quarters(v) ((vector)_mm512_shuffle_f32x4((__m512)(v), (__m512)(v), 0xb1))

#ifdef __AVX512BW__
/* Two vectors times `factor`, to the nearest whole numbers of 16 bits: added to 1.5 * 2^23 a number is rounded, and stands in the low bits. */
static inline __m512i round_two(vector first, vector second, float factor)
{
    const __m512 shift = _mm512_set1_ps(12582912.0f), times = _mm512_set1_ps(factor);
    const __m512i low = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_epi16((__m512i)_mm512_fmadd_ps((__m512)first, times, shift), low, (__m512i)_mm512_fmadd_ps((__m512)second, times, shift));
}
#endif

#ifdef INT8
/* Four vectors, to the nearest of 0 .. 255. */
static inline void store_bytes(char *at, const vector v[4])
{
    const __m512i first = _mm512_packs_epi32(_mm512_cvtps_epi32((__m512)v[0]), _mm512_cvtps_epi32((__m512)v[1]));
    const __m512i second = _mm512_packs_epi32(_mm512_cvtps_epi32((__m512)v[2]), _mm512_cvtps_epi32((__m512)v[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15); /* quarters of the vectors stand side by side, by fours */
    _mm512_storeu_si512(at, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(first, second)));
}
#endif
