/* Self-attention on AMX tiles: see attention_amx.h. */
#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512VBMI__)
#include "attention_amx.h"

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#include "amx.h"

typedef float vector __attribute__((vector_size(64)));
#define LANES 16
#include "vectors.h"
#include "bf16_groups.h"

/* Tokens are taken 32 at a time, a chunk: as many as one tile of shares, what values are multiplied with, has columns. Of scores a chunk is two tiles.
 *
 * A score is found in units of 2^-8, as an exponent of two: times log2(e), which queries are multiplied with. Less the largest of its row, it is a 16-bit integer
 * x <= 0, and the share is 2^(x / 256 + 1), which ends where bf16 does, at 2^-127. The largest share is 2 then; what is divided by in the end is their sum, as rounded. */
enum { CHUNK = 32, UNIT = 256, ROWS = TILE_ROWS };
#define LOG2_E 1.44269504f

struct room {
    size_t tokens;   /* filled up to whole chunks */
    size_t chunks;   /* of tokens */
    size_t steps;    /* of 32 numbers of a head */
    size_t columns;  /* tiles' columns: 16 numbers of a head each */
    struct head {
        char *keys;   /* [2 * chunks, steps] tiles of [16 pairs of numbers, 16 tokens, 2] */
        char *values; /* [columns, chunks] tiles of [16 pairs of tokens, 16 numbers, 2] */
        float *bias;  /* in units of a score, from the place of the last query on: [ROWS - 1 + queries, filled up, + tokens] */
    } head[2];        /* one is filled while the other is worked on; so is it with */
    struct block {    /* ROWS queries of a head */
        char *scores; /* [2 * chunks] tiles of [ROWS, 16] floats */
        float *most;  /* [ROWS]: the largest score */
        const struct head *head;
        size_t first, rows; /* queries */
        float *context;
    } block[2];
    char *queries; /* [steps] tiles of [ROWS, 32] */
    char *shares;  /* [chunks] tiles of [ROWS, 32] */
    char *context; /* [columns + 1] tiles of [ROWS, 16] floats; in the last, each number of a row is the sum of its shares */
    size_t bytes;  /* of all this */
};

static size_t round_up(size_t number, size_t unit)
{
    return (number + unit - 1) / unit * unit;
}

static char *take(char **at, size_t bytes)
{
    char *here = *at;
    *at += round_up(bytes, 64);
    return here;
}

static struct room make_room(size_t tokens, size_t head_size, float *scratch)
{
    char *at = (char *)scratch;
    struct room room = {.tokens = round_up(tokens, CHUNK), .chunks = (tokens + CHUNK - 1) / CHUNK, .steps = (head_size + 31) / 32, .columns = (head_size + 15) / 16};
    for (size_t i = 0; i < 2; i++) {
        room.head[i].keys = take(&at, 2 * room.chunks * room.steps * TILE_BYTES);
        room.head[i].values = take(&at, room.columns * room.chunks * TILE_BYTES);
        room.head[i].bias = (float *)take(&at, (2 * room.tokens + ROWS) * sizeof(float));
        room.block[i].scores = take(&at, 2 * room.chunks * TILE_BYTES);
        room.block[i].most = (float *)take(&at, ROWS * sizeof(float));
    }
    room.queries = take(&at, room.steps * TILE_BYTES);
    room.shares = take(&at, room.chunks * TILE_BYTES);
    room.context = take(&at, (room.columns + 1) * TILE_BYTES);
    room.bytes = (size_t)(at - (char *)scratch);
    return room;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return make_room(tokens, head_size, NULL).bytes / sizeof(float);
}

/* ---- packing ---- */

static __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count < LANES ? (1u << count) - 1 : 0xffff);
}

static void pack_keys(const struct room *room, const struct attention *text, const float *keys, size_t stride, char *at)
{
    for (size_t t = 0; t < text->tokens; t += LANES)
        for (size_t s = 0; s < room->steps; s++, at += TILE_BYTES) {
            __m512i groups[LANES];
            for (size_t i = 0; i < LANES; i++)
                groups[i] = t + i < text->tokens ? load_groups(keys + (t + i) * stride, text->head_size, s * LANES, all(1)) : _mm512_setzero_si512();
            transpose(groups);
            for (size_t i = 0; i < LANES; i++)
                _mm512_storeu_si512(at + i * TILE_ROW_BYTES, groups[i]);
        }
}

/* The first token of pair p of a chunk: in the order that soften leaves shares in. */
INLINE size_t pair_token(size_t p)
{
    return p / 4 * 4 + p % 2 * 2 + p / 2 % 2 * 16;
}

static void pack_values(const struct room *room, const struct attention *text, const float *values, size_t stride, char *at)
{
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (size_t c = 0; c < room->columns; c++) {
        const __mmask16 columns = first_lanes(text->head_size - c * LANES);
        for (size_t chunk = 0; chunk < text->tokens; chunk += CHUNK)
            for (size_t p = 0; p < TILE_ROWS; p++, at += TILE_ROW_BYTES) {
                const size_t t = chunk + pair_token(p);
                const float *row = values + t * stride + c * LANES;
                const __m512 first = _mm512_maskz_loadu_ps(t < text->tokens ? columns : 0, row), second = _mm512_maskz_loadu_ps(t + 1 < text->tokens ? columns : 0, row + stride);
                _mm512_storeu_si512(at, _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(second, first)));
            }
    }
}

static void pack_queries(const struct room *room, const struct attention *text, size_t rows, const float *queries, size_t stride)
{
    const vector scale = all(UNIT * LOG2_E / sqrtf((float)text->head_size));
    for (size_t i = 0; i < ROWS; i++)
        for (size_t s = 0; s < room->steps; s++)
            _mm512_storeu_si512(room->queries + s * TILE_BYTES + i * TILE_ROW_BYTES,
                                i < rows ? load_groups(queries + i * stride, text->head_size, s * LANES, scale) : _mm512_setzero_si512());
}

/* bias: what is added to the score of the first key and the first query. */
static void pack_bias(const struct room *room, const struct attention *text, const float *bias, float *into)
{
    const size_t before = round_up(text->queries, ROWS) - 1, last = text->queries - 1;
    memset(into, 0, (before + room->tokens) * sizeof *into);
    for (size_t i = 0; i < last + text->tokens; i++)
        into[before - last + i] = UNIT * LOG2_E * *(bias - last + i);
}

/* ---- scores ---- */

/* Tile instructions do not say that they read memory: what is to be read has to be there. */
#define load_tile(tile, at, stride) \
    do { \
        __asm__ volatile("" ::: "memory"); \
        _tile_loadd(tile, at, stride); \
    } while (0)

/* The scores of some of the keys' tiles, at most four. */
INLINE void multiply_keys(const struct room *room, const size_t count, const char *keys, const float *bias, char *scores)
{
#define BEGIN(i) \
    if (count > i && bias) \
        load_tile(i, bias + i * LANES, -(long)sizeof(float)); \
    else if (count > i) \
        _tile_zero(i);
#define STEP(i) \
    if (count > i) { \
        load_tile(6, keys + (i * room->steps + s) * TILE_BYTES, TILE_ROW_BYTES); \
        _tile_dpbf16ps(i, 5, 6); \
    }
#define END(i) \
    if (count > i) \
        _tile_stored(i, scores + i * TILE_BYTES, TILE_ROW_BYTES);
    BEGIN(0) BEGIN(1) BEGIN(2) BEGIN(3)
    for (size_t s = 0; s < room->steps; s++) {
        load_tile(5, room->queries + s * TILE_BYTES, TILE_ROW_BYTES);
        STEP(0) STEP(1) STEP(2) STEP(3)
    }
    END(0) END(1) END(2) END(3)
#undef BEGIN
#undef STEP
#undef END
}

static void find_scores(const struct room *room, const struct attention *text, const struct block *block)
{
    const size_t tiles = (text->tokens + LANES - 1) / LANES;
    const float *bias = text->bias ? block->head->bias + round_up(text->queries, ROWS) - 1 - block->first : NULL;
    const char *keys = block->head->keys;
    char *scores = block->scores;
    for (size_t t = 0; t < tiles; t += 4, keys += 4 * room->steps * TILE_BYTES, scores += 4 * TILE_BYTES, bias = bias ? bias + 4 * LANES : NULL)
        switch (tiles - t) {
        case 1: multiply_keys(room, 1, keys, bias, scores); break;
        case 2: multiply_keys(room, 2, keys, bias, scores); break;
        case 3: multiply_keys(room, 3, keys, bias, scores); break;
        default: multiply_keys(room, 4, keys, bias, scores); break;
        }
}

/* The largest number of each of 16 vectors. */
INLINE __m512 largest_of_each(__m512 rows[16])
{
    UNROLL for (size_t i = 0; i < 8; i++)
        rows[i] = _mm512_max_ps(_mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]), _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]));
    UNROLL for (size_t i = 0; i < 4; i++) {
        const __m512d a = (__m512d)rows[2 * i], b = (__m512d)rows[2 * i + 1];
        rows[i] = _mm512_max_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b)); /* in each 128-bit lane, one number of each of four rows */
    }
    UNROLL for (size_t step = 2; step; step /= 2)
        UNROLL for (size_t i = 0; i < step; i++)
            rows[i] = _mm512_max_ps(_mm512_shuffle_f32x4(rows[2 * i], rows[2 * i + 1], 0x88), _mm512_shuffle_f32x4(rows[2 * i], rows[2 * i + 1], 0xdd));
    return rows[0];
}

static void find_most(const struct attention *text, const struct block *block)
{
    const size_t last = (text->tokens - 1) / LANES;
    const __mmask16 lanes = first_lanes(text->tokens - last * LANES);
    __m512 most[ROWS];
    UNROLL for (size_t i = 0; i < ROWS; i++) {
        const char *row = block->scores + i * TILE_ROW_BYTES;
        most[i] = _mm512_mask_loadu_ps(_mm512_set1_ps(-FLT_MAX), lanes, row + last * TILE_BYTES);
        for (size_t t = 0; t < last; t++)
            most[i] = _mm512_max_ps(most[i], _mm512_loadu_ps(row + t * TILE_BYTES));
    }
    _mm512_storeu_ps(block->most, largest_of_each(most));
}

/* ---- shares ---- */

/* 2^f is nearly 1 + f for f from 0 to 1: 256 f - 256 (2^f - 1), by the first six bits of f, found as what leaves the least error in all after the rounding to bf16. */
static const uint8_t too_much[64] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 13, 13, 14, 15, 15, 16, 17, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 20, 20, 20, 19, 19, 18, 18, 17, 16, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 4, 3, 2, 0};

/* The shares of 32 scores, `first` and `second` 16 each, in the order of pair_token. With 16 bits x, x + 2^15 is the result but for what the straight line is above 2^f:
 * its upper 8 bits are the exponent, the lower ones one more than bf16 has. */
INLINE __m512i shares_of(__m512 first, __m512 second, __m512 most, __m512i table, __mmask32 valid)
{
    const __m512i x = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_sub_ps(first, most)), _mm512_cvtps_epi32(_mm512_sub_ps(second, most)));
    const __m512i less = _mm512_mask_permutexvar_epi8(_mm512_set1_epi16(INT16_MIN), 0x5555555555555555, _mm512_srli_epi16(x, 2), table);
    return _mm512_maskz_avg_epu16(valid, _mm512_sub_epi16(x, less), _mm512_setzero_si512());
}

/* Which shares of a chunk stand for tokens. */
static __mmask32 valid_shares(size_t tokens)
{
    uint32_t valid = 0;
    for (size_t p = 0; p < TILE_ROWS; p++)
        for (size_t i = 0; i < 2; i++)
            valid |= (uint32_t)(pair_token(p) + i < tokens) << (2 * p + i);
    return valid;
}

INLINE void soften(const struct block *block, size_t chunk, __mmask32 valid, char *shares)
{
    const char *scores = block->scores + 2 * chunk * TILE_BYTES;
    const __m512i table = _mm512_loadu_si512(too_much);
    for (size_t i = 0; i < block->rows; i++) {
        const char *row = scores + i * TILE_ROW_BYTES;
        _mm512_storeu_si512(shares + i * TILE_ROW_BYTES, shares_of(_mm512_loadu_ps(row), _mm512_loadu_ps(row + TILE_BYTES), _mm512_set1_ps(block->most[i]), table, valid));
    }
}

/* ---- contexts ---- */

/* Values of at most four columns of tiles, times a chunk's shares. */
INLINE void multiply_values(const size_t count, const char *shares, const char *values, size_t column_bytes)
{
#define STEP(i) \
    if (count > i) { \
        load_tile(6, values + i * column_bytes, TILE_ROW_BYTES); \
        _tile_dpbf16ps(i, 5, 6); \
    }
    load_tile(5, shares, TILE_ROW_BYTES);
    STEP(0) STEP(1) STEP(2) STEP(3)
    _tile_dpbf16ps(4, 5, 7);
#undef STEP
}

INLINE void find_columns(const struct room *room, const struct attention *text, const struct block *block, size_t column, const size_t count)
{
    const size_t column_bytes = room->chunks * TILE_BYTES;
    const char *values = block->head->values + column * column_bytes;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    for (size_t chunk = 0; chunk < room->chunks; chunk++) {
        char *shares = room->shares + chunk * TILE_BYTES;
        if (column == 0)
            soften(block, chunk, chunk + 1 < room->chunks ? UINT32_MAX : valid_shares(text->tokens - chunk * CHUNK), shares);
        multiply_values(count, shares, values + chunk * TILE_BYTES, column_bytes);
    }
#define END(i) \
    if (count > i) \
        _tile_stored(i, room->context + (column + i) * TILE_BYTES, TILE_ROW_BYTES);
    END(0) END(1) END(2) END(3)
#undef END
    _tile_stored(4, room->context + room->columns * TILE_BYTES, TILE_ROW_BYTES);
}

static void find_context(const struct room *room, const struct attention *text, const struct block *block)
{
    for (size_t c = 0; c < room->columns; c += 4)
        switch (room->columns - c) {
        case 1: find_columns(room, text, block, c, 1); break;
        case 2: find_columns(room, text, block, c, 2); break;
        case 3: find_columns(room, text, block, c, 3); break;
        default: find_columns(room, text, block, c, 4); break;
        }
}

static void store_context(const struct room *room, const struct attention *text, const struct block *block, size_t stride)
{
    for (size_t i = 0; i < block->rows; i++) {
        const char *row = room->context + i * TILE_ROW_BYTES;
        const __m512 share = _mm512_rcp14_ps(_mm512_loadu_ps(row + room->columns * TILE_BYTES));
        for (size_t c = 0; c < room->columns; c++)
            _mm512_mask_storeu_ps(block->context + i * stride + c * LANES, first_lanes(text->head_size - c * LANES), _mm512_mul_ps(share, _mm512_loadu_ps(row + c * TILE_BYTES)));
    }
}

/* A block's scores are found before the block before is done with, so that products and all else go on at the same time. */
static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    const size_t width = text->heads * text->head_size;
    struct room room = make_room(text->tokens, text->head_size, scratch);
    const struct block *before = NULL;
    size_t count = 0;
    tiles_begin();
    for (size_t i = 0; i < TILE_BYTES; i += TILE_ROW_BYTES)
        _mm512_storeu_si512(room.context + i, _mm512_set1_epi16(0x3f80)); /* 1 */
    load_tile(7, room.context, TILE_ROW_BYTES);
    for (size_t h = 0; h < text->heads; h++) {
        const float *part = qkv + h * text->head_size;
        const struct head *head = &room.head[h % 2];
        pack_keys(&room, text, part + width, qkv_stride, head->keys);
        pack_values(&room, text, part + 2 * width, qkv_stride, head->values);
        if (text->bias)
            pack_bias(&room, text, text->bias + h * (2 * text->reach - 1) + text->reach - 1 - text->query, head->bias);
        for (size_t i = 0; i < text->queries; i += ROWS, count++) {
            struct block *block = &room.block[count % 2];
            block->head = head;
            block->first = i;
            block->rows = text->queries - i < ROWS ? text->queries - i : ROWS;
            block->context = context + i * context_stride + h * text->head_size;
            pack_queries(&room, text, block->rows, part + (text->query + i) * qkv_stride, qkv_stride);
            find_scores(&room, text, block);
            if (before)
                find_context(&room, text, before);
            find_most(text, block);
            if (before)
                store_context(&room, text, before, context_stride);
            before = block;
        }
    }
    find_context(&room, text, before);
    store_context(&room, text, before, context_stride);
    tiles_end();
}

const struct attention_amx attention_amx = {attention, attention_scratch};
#endif
