/* int8 by AVX-512 without VNNI, as reduced_int8_avx2.c has it. */
#if defined(__AVX512BW__)
#define INT8
#include "avx512_vectors.h"

#define GROUP 4
#define ROWS 6
#define WIDTH 4
typedef integers sums;
#define sums_of_two(x, weights) _mm512_maddubs_epi16((__m512i)(x), (__m512i)(weights))
#define add_twos(sum, twos) ((sums)_mm512_add_epi32((__m512i)(sum), _mm512_madd_epi16(twos, _mm512_set1_epi16(1))))
#define dot(sum, x, weights) add_twos(sum, sums_of_two(x, weights))
#define dot_two(sum, x0, weights0, x1, weights1) add_twos(sum, _mm512_add_epi16(sums_of_two(x0, weights0), sums_of_two(x1, weights1)))
#include "reduced_source.h"

extern const struct reduced reduced_int8_avx512bw;
const struct reduced reduced_int8_avx512bw = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
