/* 16-bit integers by AVX2: VPMADDWD multiplies 16 and adds them by twos, VPADDD adds that to the sums; two instructions do what takes FMA two, but not all ports that add can
 * multiply. */
#if defined(__AVX2__) && defined(__FMA__)
#include "avx2_vectors.h"

#define INT16
#define GROUP 2
#define ROWS 6
#define WIDTH 2
typedef integers sums;
#define dot(sum, x, weights) ((sums)_mm256_add_epi32((__m256i)(sum), _mm256_madd_epi16((__m256i)(x), (__m256i)(weights))))

/* To the nearest whole number. */
static inline void store_values(char *at, vector v)
{
    const __m256i whole = _mm256_cvtps_epi32((__m256)v);
    _mm_storeu_si128((__m128i *)at, _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
}

#include "reduced_source.h"

extern const struct reduced reduced_int16_avx2;
const struct reduced reduced_int16_avx2 = {.precision = PRECISION_BF16, .values = "int16", REDUCED_TABLE};
#endif
