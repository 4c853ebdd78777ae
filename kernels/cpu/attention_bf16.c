/* Self-attention in bf16 by AVX-512 BF16: see attention_bf16.h. */
#if defined(__AVX512BF16__)
#include "attention_bf16.h"

#include <float.h>
#include <math.h>

#include "avx512_vectors.h"

typedef vector sums;
#define BF16
#define GROUP 2
#define ROWS 14
#define WIDTH 2
#define PANEL (WIDTH * LANES)
#define STEP_BYTES 4
#define VALUE_BYTES 2
#define dot(sum, x, weights) ((sums)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(weights)))

#include "vectors.h"
#include "register_tile.h"
#include "transpose.h"

/* What attention works in: keys and values as weights are packed, and, for a tile of queries, these, their scores and the scores' exponentials. */
struct attention_room {
    size_t filled;       /* tokens, filled up to whole panels */
    size_t head_steps;   /* head_size / GROUP, rounded up */
    size_t token_steps;  /* tokens / GROUP, rounded up */
    size_t query_stride, share_stride; /* bytes */
    char *keys;          /* [filled / PANEL, head_steps, PANEL, GROUP] */
    char *values;        /* [ceil(head_size / PANEL), token_steps, PANEL, GROUP] */
    char *queries;       /* [ROWS, head_steps, GROUP] */
    char *shares;        /* [ROWS, filled] */
    float *scores;       /* [ROWS, filled] */
    size_t bytes;        /* of all this */
};

static size_t round_up(size_t number, size_t unit)
{
    return (number + unit - 1) / unit * unit;
}

static struct attention_room attention_room(size_t tokens, size_t head_size, float *scratch)
{
    struct attention_room room = {.filled = round_up(tokens, PANEL), .head_steps = (head_size + 1) / GROUP, .token_steps = (tokens + 1) / GROUP};
    room.query_stride = round_up(room.head_steps * STEP_BYTES, 64);
    room.share_stride = room.filled * VALUE_BYTES;
    char *at = (char *)scratch;
    room.keys = at, at += room.filled * room.head_steps * STEP_BYTES;
    room.values = at, at += round_up(head_size, PANEL) * room.token_steps * STEP_BYTES;
    room.queries = at, at += ROWS * room.query_stride;
    room.shares = at, at += ROWS * room.share_stride;
    room.scores = (float *)at, at += ROWS * room.filled * sizeof(float);
    room.bytes = (size_t)(at - (char *)scratch);
    return room;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return attention_room(tokens, head_size, NULL).bytes / sizeof(float);
}

/* Two vectors of floats as LANES groups: the first of a group from `first`, the second from `second`. */
INLINE __m512i interleave(vector first, vector second)
{
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)first)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)second));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* The groups p .. p + 15 of a row of head_size numbers times `scale`, zeros behind its end. */
INLINE __m512i load_groups(const float *row, size_t head_size, size_t p, float scale)
{
    const size_t first = p * GROUP, left = head_size > first ? head_size - first : 0;
    vector low, high;
    if (left >= 2 * LANES) {
        low = load(row + first);
        high = load(row + first + LANES);
    } else {
        low = left >= LANES ? load(row + first) : load_some(row + first, left);
        high = left > LANES ? load_some(row + first + LANES, left - LANES) : all(0);
    }
    return (__m512i)_mm512_cvtne2ps_pbh((__m512)(high * all(scale)), (__m512)(low * all(scale)));
}

static void pack_keys(const struct attention_room *room, size_t tokens, size_t head_size, const float *keys, size_t stride)
{
    for (size_t t = 0; t < room->filled; t += LANES)
        for (size_t p = 0; p < room->head_steps; p += LANES) {
            __m512i groups[LANES];
            for (size_t i = 0; i < LANES; i++)
                groups[i] = t + i < tokens ? load_groups(keys + (t + i) * stride, head_size, p, 1) : _mm512_setzero_si512();
            transpose(groups);
            char *at = room->keys + (t / PANEL * PANEL * room->head_steps + p * PANEL + t % PANEL) * STEP_BYTES;
            for (size_t i = 0; i < LANES && p + i < room->head_steps; i++)
                _mm512_storeu_si512(at + i * PANEL * STEP_BYTES, groups[i]);
        }
}

static void pack_values(const struct attention_room *room, size_t tokens, size_t head_size, const float *values, size_t stride)
{
    char *at = room->values;
    for (size_t h = 0; h < head_size; h += PANEL)
        for (size_t t = 0; t < tokens; t += GROUP)
            for (size_t j = h; j < h + PANEL; j += LANES, at += LANES * STEP_BYTES) {
                const size_t left = head_size > j ? head_size - j : 0;
                const float *row = values + t * stride + j;
                vector pair[GROUP];
                for (size_t i = 0; i < GROUP; i++, row += stride)
                    pair[i] = t + i >= tokens || !left ? all(0) : left >= LANES ? load(row) : load_some(row, left);
                _mm512_storeu_si512(at, interleave(pair[0], pair[1]));
            }
}

/* Queries times `scale`, as an operand. */
static void pack_queries(const struct attention_room *room, size_t rows, size_t head_size, const float *queries, size_t stride, float scale)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < room->head_steps; p += LANES)
            _mm512_storeu_si512(room->queries + i * room->query_stride + p * STEP_BYTES, load_groups(queries + i * stride, head_size, p, scale));
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
        _mm512_storeu_si512(shares + j * VALUE_BYTES, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
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

static void attention_head(const struct attention *text, const struct attention_room *room, const float *queries, size_t stride, const float *bias,
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
        struct finish finish = {.then = TILE_STORE, .y_stride = room->filled, .columns = PANEL};
        float shares[ROWS];
        pack_queries(room, rows, text->head_size, queries + i * stride, stride, scale);
        for (size_t t = 0; t < room->filled; t += PANEL) {
            finish.y = room->scores + t;
            product_tile(rows, room->head_steps, room->queries, room->query_stride, room->keys + t * room->head_steps * STEP_BYTES, nothing, &finish);
        }
        soften(room, rows, text->tokens, hidden, bias ? bias - i : NULL, shares);
        finish.scale = shares;
        finish.y_stride = context_stride;
        for (size_t h = 0; h < text->head_size; h += PANEL) {
            finish.y = context + i * context_stride + h;
            finish.columns = text->head_size - h < PANEL ? text->head_size - h : PANEL;
            product_tile(rows, room->token_steps, room->shares, room->share_stride, room->values + h * room->token_steps * STEP_BYTES, nothing, &finish);
        }
    }
}

static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    const struct attention_room room = attention_room(text->tokens, text->head_size, scratch);
    const size_t width = text->heads * text->head_size;
    for (size_t head = 0; head < text->heads; head++) {
        const float *part = qkv + head * text->head_size;
        const float *bias = text->bias ? text->bias + head * (2 * text->reach - 1) + text->reach - 1 - text->query : NULL;
        pack_keys(&room, text->tokens, text->head_size, part + width, qkv_stride);
        pack_values(&room, text->tokens, text->head_size, part + 2 * width, qkv_stride);
        attention_head(text, &room, part + text->query * qkv_stride, qkv_stride, bias, context + head * text->head_size, context_stride);
    }
}

const struct attention_bf16 attention_avx512_bf16 = {attention, attention_scratch};
#endif
