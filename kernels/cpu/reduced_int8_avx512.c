/* int8 by AVX-512 VNNI: the tile of kernels_avx512.c, 64 multiply-adds an instruction. */
#if defined(__AVX512VNNI__)
#define INT8
#include "avx512_vectors.h"

#define GROUP 4
#define ROWS 6
#define WIDTH 4
typedef integers sums;
#define dot(sum, x, weights) ((sums)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(weights)))
#include "reduced_source.h"

extern const struct reduced reduced_int8_avx512;
const struct reduced reduced_int8_avx512 = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
