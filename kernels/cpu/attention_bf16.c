/* Both products of attention in bf16, by AVX-512 BF16 (VDPBF16PS). */
#if defined(__AVX512BF16__)
#include "reduced_attention.h"

#define VALUE_GROUP 2
#define dot(sum, x, weights) ((sums)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(weights)))
#include "attention_avx512.h"

INLINE float largest_value(size_t head_size)
{
    (void)head_size;
    return 0;
}

/* Queries are scaled before they are rounded. */
INLINE struct unit unit_of(size_t rows, size_t head_size, const float *x, size_t stride, float largest, float scale)
{
    (void)rows, (void)head_size, (void)x, (void)stride, (void)largest;
    return (struct unit){scale, 1};
}

INLINE __m512i key_groups(vector low, vector high, float factor)
{
    return (__m512i)_mm512_cvtne2ps_pbh((__m512)(high * all(factor)), (__m512)(low * all(factor)));
}

INLINE __m512i value_groups(const vector rows[VALUE_GROUP])
{
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)rows[0])), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)rows[1]));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

INLINE void store_shares(float *row, size_t j, vector first, vector second)
{
    _mm512_storeu_si512((char *)row + j * STEP_BYTES / VALUE_GROUP, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

INLINE void multiply_keys(size_t rows, size_t steps, const char *queries, size_t query_stride, const float *query_units, const char *keys, const float *key_units, float *scores, size_t stride)
{
    const struct finish finish = {.then = TILE_STORE, .y = scores, .y_stride = stride, .columns = PANEL};
    (void)query_units, (void)key_units;
    product_tile(rows, steps, queries, query_stride, keys, (struct ahead){keys, 0}, &finish);
}

const struct reduced_attention attention_avx512_bf16 = {attention, attention_scratch};
#endif
