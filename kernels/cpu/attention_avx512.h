/* The source of self-attention by AVX-512 for linear layers in bf16 and int8 (reduced_attention.h). A file attention_<how>.c defines, includes this, and then has the functions that are
 * declared here:
 *   VALUE_GROUP             shares that a lane takes at a time
 *   dot(sum, x, weights)    a vector of sums; x in every lane the same group
 * Queries and keys are taken by twos. */
#include <float.h>
#include <math.h>

#include "avx512_vectors.h"

typedef vector sums;
#define SCALED_ROWS /* all that is to be done behind the products (register_tile.h) */
#define ROWS 14
#define WIDTH 2
#define PANEL (WIDTH * LANES)
#define STEP_BYTES 4
#define KEY_GROUP 2

#include "vectors.h"
#include "register_tile.h"
#include "transpose.h"
#include "short_power.h"

/* What numbers of queries or keys are multiplied with before they are rounded, and what their scores are to be multiplied with. */
struct unit { float factor, unit; };

/* ---- what each way has of its own ---- */

/* The largest size of a rounded number, where there is one. */
INLINE float largest_value(size_t head_size);
/* Of rows that have one unit, so that scores come out times `scale`. */
INLINE struct unit unit_of(size_t rows, size_t head_size, const float *x, size_t stride, float largest, float scale);
/* LANES groups of a query or a key, of which `low` are the first half. */
INLINE __m512i key_groups(vector low, vector high, float factor);
/* VALUE_GROUP rows of values side by side. */
INLINE __m512i value_groups(const vector rows[VALUE_GROUP]);
/* The shares j and following of a row, PANEL of them. They may lie where their scores did, which are read by then. */
INLINE void store_shares(float *row, size_t j, vector first, vector second);
/* scores [rows, PANEL], each row `stride` floats behind the one before. */
INLINE void multiply_keys(size_t rows, size_t steps, const char *queries, size_t query_stride, const float *query_units, const char *keys, const float *key_units, float *scores, size_t stride);

/* ---- the rest ---- */

/* What attention works in: keys and values as weights are packed, and, for a tile of queries, these and their scores, which become shares. */
struct attention_room {
    size_t filled;       /* tokens, filled up to whole panels */
    size_t head_steps;   /* head_size / KEY_GROUP, rounded up */
    size_t token_steps;  /* tokens / VALUE_GROUP, rounded up */
    size_t query_stride; /* bytes */
    float largest;       /* largest_value */
    char *keys;          /* [filled / PANEL, head_steps, PANEL, KEY_GROUP] */
    char *values;        /* [ceil(head_size / PANEL), token_steps, PANEL, VALUE_GROUP] */
    char *queries;       /* [ROWS, head_steps, KEY_GROUP] */
    float *scores;       /* [ROWS, filled] */
    float *key_units;    /* [filled] */
    float query_units[ROWS];
    size_t bytes;        /* of all this */
};

static struct attention_room attention_room(size_t tokens, size_t head_size, float *scratch)
{
    struct attention_room room = {.filled = round_up(tokens, PANEL), .head_steps = (head_size + KEY_GROUP - 1) / KEY_GROUP,
                                  .token_steps = (tokens + VALUE_GROUP - 1) / VALUE_GROUP, .largest = largest_value(head_size)};
    room.query_stride = round_up(room.head_steps * STEP_BYTES, 64);
    char *at = (char *)scratch;
    room.keys = at, at += room.filled * room.head_steps * STEP_BYTES;
    room.values = at, at += round_up(head_size, PANEL) * room.token_steps * STEP_BYTES;
    room.queries = at, at += ROWS * room.query_stride;
    room.scores = (float *)at, at += ROWS * room.filled * sizeof(float);
    room.key_units = (float *)at, at += room.filled * sizeof(float);
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

/* The groups p .. p + 15 of a query or key. */
INLINE __m512i load_groups(const float *row, size_t head_size, size_t p, float factor)
{
    return key_groups(load_numbers(row, head_size, p * KEY_GROUP), load_numbers(row, head_size, p * KEY_GROUP + LANES), factor);
}

/* LANES keys have one unit: each had to be looked at alone otherwise. */
static void pack_keys(const struct attention_room *room, size_t tokens, size_t head_size, const float *keys, size_t stride)
{
    for (size_t t = 0; t < room->filled; t += LANES) {
        const size_t some = t >= tokens ? 0 : tokens - t < LANES ? tokens - t : LANES;
        const struct unit unit = unit_of(some, head_size, keys + t * stride, stride, room->largest, 1);
        store(room->key_units + t, all(unit.unit));
        for (size_t p = 0; p < room->head_steps; p += LANES) {
            __m512i groups[LANES];
            for (size_t i = 0; i < LANES; i++)
                groups[i] = i < some ? load_groups(keys + (t + i) * stride, head_size, p, unit.factor) : _mm512_setzero_si512();
            transpose(groups);
            char *at = room->keys + (t / PANEL * PANEL * room->head_steps + p * PANEL + t % PANEL) * STEP_BYTES;
            for (size_t i = 0; i < LANES && p + i < room->head_steps; i++)
                _mm512_storeu_si512(at + i * PANEL * STEP_BYTES, groups[i]);
        }
    }
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

/* Queries as an operand, so that their scores come out times `scale`. All units first, because each is waited for long. */
static void pack_queries(struct attention_room *room, size_t rows, size_t head_size, const float *queries, size_t stride, float scale)
{
    float factor[ROWS];
    for (size_t i = 0; i < rows; i++) {
        const struct unit unit = unit_of(1, head_size, queries + i * stride, stride, room->largest, scale);
        factor[i] = unit.factor;
        room->query_units[i] = unit.unit;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < room->head_steps; p += LANES)
            _mm512_storeu_si512(room->queries + i * room->query_stride + p * STEP_BYTES, load_groups(queries + i * stride, head_size, p, factor[i]));
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

/* A row of scores to 2^(score - largest), as an operand in the same place; sums of them are returned. */
INLINE vector exponentials(float *scores, size_t columns, float largest)
{
    vector sum[PANEL / LANES] = {{0}};
    for (size_t j = 0; j < columns; j += PANEL) {
        const vector first = power_of_difference(load(scores + j), all(largest)), second = power_of_difference(load(scores + j + LANES), all(largest));
        store_shares(scores, j, first, second);
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
        part[r] = exponentials(room->scores + r * room->filled, columns, shares[r]);
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
            multiply_keys(rows, room->head_steps, room->queries, room->query_stride, room->query_units, room->keys + t * room->head_steps * STEP_BYTES, room->key_units + t,
                          room->scores + t, room->filled);
        soften(room, rows, text->tokens, hidden, bias ? bias - i : NULL, shares);
        struct finish finish = {.then = TILE_STORE, .scale = shares, .y_stride = context_stride};
        for (size_t h = 0; h < text->head_size; h += PANEL) {
            finish.y = context + i * context_stride + h;
            finish.columns = text->head_size - h < PANEL ? text->head_size - h : PANEL;
            product_tile(rows, room->token_steps, (const char *)room->scores, room->filled * sizeof(float), room->values + h * room->token_steps * STEP_BYTES, nothing, &finish);
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
