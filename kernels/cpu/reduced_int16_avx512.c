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
#define shifted(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#define integers_sum(a) _mm512_reduce_add_epi32((__m512i)(a))

#ifdef PAIRED
_Static_assert(WIDTH == 2, "dot_three");

/* One row's three groups at x. In one piece, since these are all the registers that there are, and the compiler, left to itself, would spread it and keep a part of the tile in memory. */
static inline __attribute__((always_inline)) void dot_three(sums sum[WIDTH], const char *x, const sums first[WIDTH], const sums second[WIDTH], const sums single[WIDTH])
{
    const struct { int32_t group[3]; } __attribute__((packed, may_alias)) *const groups = (const void *)x;
    sums a, b, c, d;
    __asm__("vpbroadcastd %[x0], %[a]\n\t"
            "vpbroadcastd %[x1], %[b]\n\t"
            "vpaddw %[second0], %[a], %[c]\n\t"
            "vpaddw %[first0], %[b], %[d]\n\t"
            "vpdpwssd %[d], %[c], %[sum0]\n\t"
            "vpaddw %[second1], %[a], %[a]\n\t"
            "vpaddw %[first1], %[b], %[b]\n\t"
            "vpbroadcastd %[x2], %[c]\n\t"
            "vpdpwssd %[b], %[a], %[sum1]\n\t"
            "vpdpwssd %[single0], %[c], %[sum0]\n\t"
            "vpdpwssd %[single1], %[c], %[sum1]"
            : [sum0] "+v"(sum[0]), [sum1] "+v"(sum[1]), [a] "=&v"(a), [b] "=&v"(b), [c] "=&v"(c), [d] "=&v"(d)
            : [x0] "m"(groups->group[0]), [x1] "m"(groups->group[1]), [x2] "m"(groups->group[2]), [first0] "v"(first[0]), [first1] "v"(first[1]),
              [second0] "v"(second[0]), [second1] "v"(second[1]), [single0] "v"(single[0]), [single1] "v"(single[1]));
}
#endif

/* Added to 1.5 * 2^23 a number is rounded, and stands in the low bits. */
static inline void store_two(char *at, vector first, vector second, float factor)
{
    const __m512 shift = _mm512_set1_ps(12582912.0f), times = _mm512_set1_ps(factor);
    const __m512i low = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    _mm512_storeu_si512(at, _mm512_permutex2var_epi16((__m512i)_mm512_fmadd_ps((__m512)first, times, shift), low, (__m512i)_mm512_fmadd_ps((__m512)second, times, shift)));
}

#include "reduced_source.h"

#ifndef REDUCED_NAME
#define REDUCED_NAME reduced_int16_avx512
#endif
extern const struct reduced REDUCED_NAME;
const struct reduced REDUCED_NAME = {.precision = PRECISION_BF16, .values = "int16", REDUCED_TABLE};
#endif
