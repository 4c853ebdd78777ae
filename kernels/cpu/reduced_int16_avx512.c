/* 16-bit integers by AVX-512 VNNI: 32 multiply-adds an instruction, as bf16 has; sums in 32 bits. */
#if defined(__AVX512VNNI__)
#include "avx512_vectors.h"

#define INT16
#define GROUP 2
#ifndef ROWS
#define ROWS 6
#define WIDTH 4
#endif
typedef integers sums;
#define dot(sum, x, weights) ((sums)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(weights)))
#define paired_step(sum, x, first, second, single) PAIRED_STEP("vpaddw", "vpdpwssd", sum, x, first, second, single)
#define dot_some(sum, lanes, a, b) ((sums)_mm512_mask_dpwssd_epi32((__m512i)(sum), lanes, (__m512i)(a), (__m512i)(b)))

/* Added to 1.5 * 2^23 a number is rounded, and stands in the low bits. */
static inline __m512i round_two(vector first, vector second, float factor)
{
    const __m512 shift = _mm512_set1_ps(12582912.0f), times = _mm512_set1_ps(factor);
    const __m512i low = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_epi16((__m512i)_mm512_fmadd_ps((__m512)first, times, shift), low, (__m512i)_mm512_fmadd_ps((__m512)second, times, shift));
}

#include "reduced_source.h"

#ifndef REDUCED_NAME
#define REDUCED_NAME reduced_int16_avx512
#endif
extern const struct reduced REDUCED_NAME;
const struct reduced REDUCED_NAME = {.precision = PRECISION_BF16, .values = "int16", REDUCED_TABLE};
#endif
