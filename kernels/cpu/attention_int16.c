/* Attention's scores in 16-bit integers, its context in f32. */
#if defined(__AVX512VNNI__)
#include "reduced_attention.h"

#define VALUE_GROUP 1
#define dot(sum, x, weights) fused((vector)(x), weights, sum)
#include "attention_avx512.h"
#include "attention_scores.h"

_Static_assert(ROWS == SCORE_ROWS && PANEL == SCORE_COLUMNS, "scores are made for one tile at a time");

INLINE float largest_value(size_t head_size)
{
    return attention_score_most(head_size);
}

/* What is no number is larger than all numbers, and has no unit. */
INLINE struct unit unit_of(size_t rows, size_t head_size, const float *x, size_t stride, float largest, float scale)
{
    __m512i sizes = _mm512_setzero_si512();
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < head_size; j += LANES)
            sizes = _mm512_max_epi32(sizes, (__m512i)((integers)load_numbers(x + i * stride, head_size, j) & INT32_MAX));
    const int32_t bits = _mm512_reduce_max_epi32(sizes);
    float size;
    memcpy(&size, &bits, sizeof size);
    const float unit = size == 0 ? 1 : size / largest;
    return (struct unit){1 / unit, unit * scale};
}

INLINE __m512i key_groups(vector low, vector high, float factor)
{
    return round_two(low, high, factor);
}

INLINE __m512i value_groups(const vector rows[VALUE_GROUP])
{
    return (__m512i)rows[0];
}

INLINE void store_shares(float *row, size_t j, vector first, vector second)
{
    store(row + j, first);
    store(row + j + LANES, second);
}

INLINE void multiply_keys(size_t rows, size_t steps, const char *queries, size_t query_stride, const float *query_units, const char *keys, const float *key_units, float *scores, size_t stride)
{
    attention_scores(rows, steps, queries, query_stride, query_units, keys, key_units, scores, stride);
}

const struct reduced_attention attention_avx512_int16 = {attention, attention_scratch};
#endif
