/* The source of self-attention by AVX-512 for linear layers in bf16 and int8 (reduced_attention.h). A file attention_<how>.c includes this:
 *   attention_bf16.c    both products in bf16
 *   attention_int16.c   defines SCORES_INT16: scores in 16-bit integers (attention_scores.h), context in f32 */
#include <float.h>
#include <math.h>

#include "attention_scores.h"
#include "avx512_vectors.h"

typedef vector sums;
#define BF16 /* for register_tile.h: there is nothing to do behind the products but to scale rows */
#define ROWS 14
#define WIDTH 2
#define PANEL (WIDTH * LANES)
#define STEP_BYTES 4
#define KEY_GROUP 2 /* numbers of a query that a lane takes at a time */
#ifdef SCORES_INT16
#define VALUE_GROUP 1 /* and of a row of shares */
#define dot(sum, x, weights) fused((vector)(x), weights, sum)
#else
#define VALUE_GROUP 2
#define dot(sum, x, weights) ((sums)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(weights)))
#endif

#include "vectors.h"
#include "register_tile.h"
#include "transpose.h"

/* What attention works in: keys and values as weights are packed, and, for a tile of queries, these, their scores and the scores' exponentials. */
struct attention_room {
    size_t filled;       /* tokens, filled up to whole panels */
    size_t head_steps;   /* head_size / KEY_GROUP, rounded up */
    size_t token_steps;  /* tokens / VALUE_GROUP, rounded up */
    size_t query_stride, share_stride; /* bytes */
    char *keys;          /* [filled / PANEL, head_steps, PANEL, KEY_GROUP] */
    char *values;        /* [ceil(head_size / PANEL), token_steps, PANEL, VALUE_GROUP] */
    char *queries;       /* [ROWS, head_steps, KEY_GROUP] */
    char *shares;        /* [ROWS, filled]; in f32 they stand where the scores did */
    float *scores;       /* [ROWS, filled] */
#ifdef SCORES_INT16
    float *key_units;    /* [filled], of a key's integers; and of the queries' */
    float query_units[ROWS], most; /* the largest integer */
#endif
    size_t bytes;        /* of all this */
};

static size_t round_up(size_t number, size_t unit)
{
    return (number + unit - 1) / unit * unit;
}

static struct attention_room attention_room(size_t tokens, size_t head_size, float *scratch)
{
    struct attention_room room = {.filled = round_up(tokens, PANEL), .head_steps = (head_size + KEY_GROUP - 1) / KEY_GROUP, .token_steps = (tokens + VALUE_GROUP - 1) / VALUE_GROUP};
    room.query_stride = round_up(room.head_steps * STEP_BYTES, 64);
    room.share_stride = room.filled * STEP_BYTES / VALUE_GROUP;
    char *at = (char *)scratch;
    room.keys = at, at += room.filled * room.head_steps * STEP_BYTES;
    room.values = at, at += round_up(head_size, PANEL) * room.token_steps * STEP_BYTES;
    room.queries = at, at += ROWS * room.query_stride;
    room.scores = (float *)at, at += ROWS * room.filled * sizeof(float);
#ifdef SCORES_INT16
    room.shares = (char *)room.scores;
    room.key_units = (float *)at, at += room.filled * sizeof(float);
    room.most = attention_score_most(head_size);
#else
    room.shares = at, at += ROWS * room.share_stride;
#endif
    room.bytes = (size_t)(at - (char *)scratch);
    return room;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return attention_room(tokens, head_size, NULL).bytes / sizeof(float);
}

/* Numbers `first` and following of a row of head_size, zeros behind its end. */
INLINE vector load_numbers(const float *row, size_t head_size, size_t first)
{
    const size_t left = head_size > first ? head_size - first : 0;
    return left >= LANES ? load(row + first) : left ? load_some(row + first, left) : all(0);
}

/* The groups p .. p + 15 of a query or key times `factor`. */
INLINE __m512i load_groups(const float *row, size_t head_size, size_t p, float factor)
{
    const vector low = load_numbers(row, head_size, p * KEY_GROUP), high = load_numbers(row, head_size, p * KEY_GROUP + LANES);
#ifdef SCORES_INT16
    return round_two(low, high, factor);
#else
    return (__m512i)_mm512_cvtne2ps_pbh((__m512)(high * all(factor)), (__m512)(low * all(factor)));
#endif
}

#ifdef SCORES_INT16
/* What integers of rows, `most` at most, are to be multiplied with. What is no number is larger than all numbers, and has no unit. */
INLINE float unit_of(size_t rows, size_t head_size, const float *x, size_t stride, float most)
{
    __m512i sizes = _mm512_setzero_si512();
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < head_size; j += LANES)
            sizes = _mm512_max_epi32(sizes, (__m512i)((integers)load_numbers(x + i * stride, head_size, j) & INT32_MAX));
    const int32_t bits = _mm512_reduce_max_epi32(sizes);
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    return largest == 0 ? 1 : largest / most;
}
#endif

/* In integers, LANES keys have one unit: each had to be looked at alone otherwise. */
static void pack_keys(const struct attention_room *room, size_t tokens, size_t head_size, const float *keys, size_t stride)
{
    for (size_t t = 0; t < room->filled; t += LANES) {
        const size_t some = t >= tokens ? 0 : tokens - t < LANES ? tokens - t : LANES;
        float factor = 1;
#ifdef SCORES_INT16
        const float unit = unit_of(some, head_size, keys + t * stride, stride, room->most);
        factor = 1 / unit;
        store(room->key_units + t, all(unit));
#endif
        for (size_t p = 0; p < room->head_steps; p += LANES) {
            __m512i groups[LANES];
            for (size_t i = 0; i < LANES; i++)
                groups[i] = i < some ? load_groups(keys + (t + i) * stride, head_size, p, factor) : _mm512_setzero_si512();
            transpose(groups);
            char *at = room->keys + (t / PANEL * PANEL * room->head_steps + p * PANEL + t % PANEL) * STEP_BYTES;
            for (size_t i = 0; i < LANES && p + i < room->head_steps; i++)
                _mm512_storeu_si512(at + i * PANEL * STEP_BYTES, groups[i]);
        }
    }
}

/* VALUE_GROUP rows side by side. */
INLINE __m512i value_groups(const vector rows[VALUE_GROUP])
{
#ifdef SCORES_INT16
    return (__m512i)rows[0];
#else
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)rows[0])), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)rows[1]));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
#endif
}

static void pack_values(const struct attention_room *room, size_t tokens, size_t head_size, const float *values, size_t stride)
{
    char *at = room->values;
    for (size_t h = 0; h < head_size; h += PANEL)
        for (size_t t = 0; t < tokens; t += VALUE_GROUP)
            for (size_t j = h; j < h + PANEL; j += LANES, at += LANES * STEP_BYTES) {
                vector rows[VALUE_GROUP];
                for (size_t i = 0; i < VALUE_GROUP; i++)
                    rows[i] = t + i < tokens ? load_numbers(values + (t + i) * stride, head_size, j) : all(0);
                _mm512_storeu_si512(at, value_groups(rows));
            }
}

/* Queries as an operand, so that their scores come out times `scale`. */
static void pack_queries(struct attention_room *room, size_t rows, size_t head_size, const float *queries, size_t stride, float scale)
{
#ifdef SCORES_INT16
    for (size_t i = 0; i < rows; i++)
        room->query_units[i] = unit_of(1, head_size, queries + i * stride, stride, room->most);
#endif
    for (size_t i = 0; i < rows; i++) {
        float factor = scale;
#ifdef SCORES_INT16
        factor = 1 / room->query_units[i];
        room->query_units[i] *= scale;
#endif
        for (size_t p = 0; p < room->head_steps; p += LANES)
            _mm512_storeu_si512(room->queries + i * room->query_stride + p * STEP_BYTES, load_groups(queries + i * stride, head_size, p, factor));
    }
}

/* Scores of PANEL keys from token t on. */
INLINE void multiply_keys(const struct attention_room *room, size_t rows, size_t t)
{
    const char *keys = room->keys + t * room->head_steps * STEP_BYTES;
#ifdef SCORES_INT16
    attention_scores(rows, room->head_steps, room->queries, room->query_stride, room->query_units, keys, room->key_units + t, room->scores + t, room->filled);
#else
    const struct finish finish = {.then = TILE_STORE, .y = room->scores + t, .y_stride = room->filled, .columns = PANEL};
    product_tile(rows, room->head_steps, room->queries, room->query_stride, keys, (struct ahead){keys, 0}, &finish);
#endif
}

/* 2^(x - most) for x <= most, with a relative error of 7.5e-5: a twentieth of what rounding it to bf16 costs. 2^-126 where it is less. In units of 2^-23 as an integer, an exponent
 * has its whole part where a float has it, and the rest is the fraction of a number 1 .. 2: few instructions, and those spread over an AMD processor's pipes. */
INLINE vector power_of_two(vector x, vector most)
{
    const vector unit = all(8388608); /* 2^23 */
    const __m512i scaled = _mm512_cvtps_epi32((__m512)fused(x, unit, -most * unit)); /* -2^31 where it is less than that */
    const integers exponent = (integers)_mm512_max_epi32(scaled, _mm512_set1_epi32(-126 * 0x800000));
    const vector fraction = (vector)((exponent & 0x7fffff) | 0x3f800000);
    const vector polynomial = fused(fused(fused(all(0.07802452f), fraction, all(-0.0080064125f)), fraction, all(0.4777728f)), fraction, all(0.4521343f));
    return (vector)((integers)polynomial + (exponent & -0x800000));
}

#define LOG2_E 1.44269504f

/* The largest of a row's scores, its bias added where there is one. Behind the row's end, up to a whole panel, stand zeros; `hidden` [PANEL] is added to the last panel. */
INLINE vector largest_scores(float *scores, size_t columns, const float *hidden, const float *bias)
{
    const size_t last = (columns - 1) / PANEL * PANEL;
    vector most = all(-FLT_MAX);
    for (size_t j = 0; j < last; j += LANES) {
        vector v = load(scores + j);
        if (bias)
            store(scores + j, v = fused(load(bias + j), all(LOG2_E), v));
        most = vector_larger(most, v);
    }
    for (size_t j = last; j < last + PANEL; j += LANES) {
        const size_t left = columns > j ? columns - j : 0;
        vector v = load(scores + j) + load(hidden + j - last);
        if (bias && left)
            v = fused(left < LANES ? load_some(bias + j, left) : load(bias + j), all(LOG2_E), v);
        store(scores + j, v);
        most = vector_larger(most, v);
    }
    return most;
}

/* A row of scores to 2^(score - largest), as an operand; sums of them are returned. */
INLINE vector exponentials(const float *scores, size_t columns, float largest, char *shares)
{
    vector sum[PANEL / LANES] = {{0}};
    for (size_t j = 0; j < columns; j += PANEL) {
        const vector first = power_of_two(load(scores + j), all(largest)), second = power_of_two(load(scores + j + LANES), all(largest));
#ifdef SCORES_INT16
        store((float *)shares + j, first);
        store((float *)shares + j + LANES, second);
#else
        _mm512_storeu_si512(shares + j * STEP_BYTES / VALUE_GROUP, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
#endif
        sum[0] += first;
        sum[1] += second;
    }
    return sum[0] + sum[1];
}

/* softmax, but for the division: shares [rows] are what the rows are to be multiplied with. In steps over all rows, because each waits long for its result. */
static void soften(const struct attention_room *room, size_t rows, size_t columns, const float *hidden, const float *bias, float shares[ROWS])
{
    vector part[ROWS];
    for (size_t r = 0; r < rows; r++)
        part[r] = largest_scores(room->scores + r * room->filled, columns, hidden, bias ? bias - r : NULL);
    for (size_t r = 0; r < rows; r++)
        shares[r] = vector_largest(part[r]);
    for (size_t r = 0; r < rows; r++)
        part[r] = exponentials(room->scores + r * room->filled, columns, shares[r], room->shares + r * room->share_stride);
    for (size_t r = 0; r < rows; r++)
        shares[r] = 1 / vector_sum(part[r]);
}

static void attention_head(const struct attention *text, struct attention_room *room, const float *queries, size_t stride, const float *bias,
                           float *context, size_t context_stride)
{
    const float scale = LOG2_E / sqrtf((float)text->head_size);
    const struct ahead nothing = {room->keys, 0};
    float hidden[PANEL] = {0};
    for (size_t j = (text->tokens - 1) % PANEL + 1; j < PANEL; j++)
        hidden[j] = -FLT_MAX / 4;
    const size_t tiles = tiles_of(text->queries, ROWS);
    for (size_t tile = 0; tile < tiles; tile++) {
        const size_t i = text->queries * tile / tiles, rows = text->queries * (tile + 1) / tiles - i;
        float shares[ROWS];
        pack_queries(room, rows, text->head_size, queries + i * stride, stride, scale);
        for (size_t t = 0; t < room->filled; t += PANEL)
            multiply_keys(room, rows, t);
        soften(room, rows, text->tokens, hidden, bias ? bias - i : NULL, shares);
        struct finish finish = {.then = TILE_STORE, .scale = shares, .y_stride = context_stride};
        for (size_t h = 0; h < text->head_size; h += PANEL) {
            finish.y = context + i * context_stride + h;
            finish.columns = text->head_size - h < PANEL ? text->head_size - h : PANEL;
            product_tile(rows, room->token_steps, room->shares, room->share_stride, room->values + h * room->token_steps * STEP_BYTES, nothing, &finish);
        }
    }
}

static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    struct attention_room room = attention_room(text->tokens, text->head_size, scratch);
    const size_t width = text->heads * text->head_size;
    for (size_t head = 0; head < text->heads; head++) {
        const float *part = qkv + head * text->head_size;
        const float *bias = text->bias ? text->bias + head * (2 * text->reach - 1) + text->reach - 1 - text->query : NULL;
        pack_keys(&room, text->tokens, text->head_size, part + width, qkv_stride);
        pack_values(&room, text->tokens, text->head_size, part + 2 * width, qkv_stride);
        attention_head(text, &room, part + text->query * qkv_stride, qkv_stride, bias, context + head * text->head_size, context_stride);
    }
}
