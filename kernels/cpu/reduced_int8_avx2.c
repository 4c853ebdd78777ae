/* int8 by AVX2: VPMADDUBSW multiplies 32 and adds them by twos in 16 bits, VPADDW adds two such, VPMADDWD by ones adds those by twos in 32 bits. With VPADDD five instructions
 * do what takes FMA eight. */
#if defined(__AVX2__) && defined(__FMA__)
#define INT8
#include "avx2_vectors.h"

#define GROUP 4
#define ROWS 4
#define WIDTH 3
typedef integers sums;
#define sums_of_two(x, weights) _mm256_maddubs_epi16((__m256i)(x), (__m256i)(weights))
#define add_twos(sum, twos) ((sums)_mm256_add_epi32((__m256i)(sum), _mm256_madd_epi16(twos, _mm256_set1_epi16(1))))
#define dot(sum, x, weights) add_twos(sum, sums_of_two(x, weights))
#define dot_two(sum, x0, weights0, x1, weights1) add_twos(sum, _mm256_add_epi16(sums_of_two(x0, weights0), sums_of_two(x1, weights1)))
#include "reduced_source.h"

extern const struct reduced reduced_int8_avx2;
const struct reduced reduced_int8_avx2 = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
