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

#include "reduced_source.h"

#ifndef REDUCED_NAME
#define REDUCED_NAME reduced_int16_avx512
#endif
extern const struct reduced REDUCED_NAME;
const struct reduced REDUCED_NAME = {.precision = PRECISION_BF16, .values = "int16", .balanced = 1, REDUCED_TABLE};
#endif
