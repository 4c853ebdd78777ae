/* int8 by AVX-VNNI: 16 registers of 32 products. */
#if defined(__AVXVNNI__)
#define INT8
#include "avx2_vectors.h"

#define GROUP 4
#define ROWS 6
#define WIDTH 2
typedef integers sums;
#define dot(sum, x, weights) ((sums)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(x), (__m256i)(weights)))
#include "reduced_source.h"

extern const struct reduced reduced_int8_avx2vnni;
const struct reduced reduced_int8_avx2vnni = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
