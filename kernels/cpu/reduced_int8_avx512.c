/* int8 by AVX-512 VNNI: as kernels_avx512.c has its tile, 64 multiply-adds an instruction. */
#if defined(__AVX512VNNI__)
#define INT8
#include "avx512_vectors.h"

#define GROUP 4
#define ROWS 14
#define WIDTH 2
typedef integers sums;
#define dot(sum, x, weights) ((sums)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(weights)))
#include "reduced_source.h"

extern const struct reduced reduced_int8_avx512;
const struct reduced reduced_int8_avx512 = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
