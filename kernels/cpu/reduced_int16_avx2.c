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

static inline __m256i round_two(vector first, vector second, float factor)
{
    const __m256 times = _mm256_set1_ps(factor);
    const __m256i halves = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps((__m256)first, times)), _mm256_cvtps_epi32(_mm256_mul_ps((__m256)second, times)));
    return _mm256_permute4x64_epi64(halves, 0xd8);
}

#include "reduced_source.h"

extern const struct reduced reduced_int16_avx2;
const struct reduced reduced_int16_avx2 = {.precision = PRECISION_BF16, .values = "int16", .balanced = 1, REDUCED_TABLE};
#endif
