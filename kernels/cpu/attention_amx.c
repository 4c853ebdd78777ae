/* Self-attention in bf16 on AMX tiles: see reduced_attention.h. */
#if defined(__x86_64__)
#include "reduced_attention.h"

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#include "amx.h"

typedef float vector __attribute__((vector_size(64)));
#define LANES 16
#include "vectors.h"
#include "transpose.h"

/* Tokens are taken 32 at a time, a chunk: as many as one tile of shares, what values are multiplied with, has columns. Of scores a chunk is two tiles.
 * Queries are taken 16 at a time, a block.
 *
 * A score is found in units of 2^-9, as an exponent of two: times log2(e), which queries are multiplied with. Less the largest of its row, it is a 16-bit integer
 * -2^15 <= x <= 0, and the share is 2^(x / 512): 1 at most, 2^-64 at least. What is divided by in the end is the sum of shares as rounded.
 *
 * The processor makes products in tiles beside all else, if it has both to do. But a tile that was stored to just before is loaded only when all instructions up to the
 * store are done with, which takes the overlap away. So nothing is used within hundreds of instructions of where it was made: see the stages of attention(). */
enum { CHUNK = 32, BLOCK = TILE_ROWS, UNIT = 512, HEADS = 3 };
#define LOG2_E 1.44269504f

struct room {
    size_t chunks;  /* of tokens */
    size_t blocks;  /* of queries, for each head */
    size_t steps;   /* of 32 numbers of a head */
    size_t columns; /* tiles' columns: 16 numbers of a head each */
    __mmask32 valid; /* which shares of the last chunk stand for tokens */
    size_t last;     /* the last tile of scores in a row, and which of its columns stand for tokens */
    __mmask16 last_lanes;
    struct head {
        char *keys;    /* [2 * chunks, steps] tiles of [16 pairs of numbers, 16 tokens, 2] */
        char *values;  /* [columns, chunks] tiles of [16 pairs of tokens, 16 numbers, 2] */
        char *queries; /* [blocks, steps] tiles of [BLOCK, 32], in units of a score */
        float *bias;   /* in units of a score, from that of the first key and the last query on: [blocks * BLOCK - 1 + chunks * CHUNK] */
    } head[HEADS];     /* head h is in [h % heads] */
    size_t heads;      /* HEADS, or 2, where these do: less has to be held in the nearest cache */
    char *scores[2];  /* [2 * chunks] tiles of [BLOCK, 16] floats; of block n in [n % 2] */
    char *shares;     /* [chunks] tiles of [BLOCK, 32] */
    char *context;    /* [columns + 1] tiles of [BLOCK, 16] floats; in the last, each number of a row is the sum of its shares */
    size_t bytes;     /* of all this */
};

static char *take(char **at, size_t bytes)
{
    char *here = *at;
    *at += (bytes + 63) / 64 * 64;
    return here;
}

/* A share's place in a tile is that of its token's value: the first token of pair p of a chunk. It is as shares_of leaves them. */
INLINE size_t pair_token(size_t p)
{
    return p / 4 * 4 + p % 2 * 2 + p / 2 % 2 * 16;
}

static __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count < LANES ? (1u << count) - 1 : 0xffff);
}

static struct room make_room(size_t tokens, size_t queries, size_t head_size, float *scratch)
{
    char *at = (char *)scratch;
    struct room room = {.chunks = (tokens + CHUNK - 1) / CHUNK, .blocks = (queries + BLOCK - 1) / BLOCK, .steps = (head_size + 31) / 32, .columns = (head_size + 15) / 16,
                        .last = (tokens - 1) / LANES};
    room.heads = room.blocks > 1 ? 2 : HEADS;
    room.last_lanes = first_lanes(tokens - room.last * LANES);
    for (size_t p = 0; p < TILE_ROWS; p++)
        for (size_t i = 0; i < 2; i++)
            room.valid |= (uint32_t)((room.chunks - 1) * CHUNK + pair_token(p) + i < tokens) << (2 * p + i);
    for (size_t i = 0; i < HEADS; i++) {
        room.head[i].keys = take(&at, 2 * room.chunks * room.steps * TILE_BYTES);
        room.head[i].values = take(&at, room.columns * room.chunks * TILE_BYTES);
        room.head[i].queries = take(&at, room.blocks * room.steps * TILE_BYTES);
        room.head[i].bias = (float *)take(&at, (room.blocks * BLOCK + room.chunks * CHUNK) * sizeof(float));
    }
    for (size_t i = 0; i < 2; i++) {
        room.scores[i] = take(&at, 2 * room.chunks * TILE_BYTES);
    }
    room.shares = take(&at, room.chunks * TILE_BYTES);
    room.context = take(&at, (room.columns + 1) * TILE_BYTES);
    room.bytes = (size_t)(at - (char *)scratch);
    return room;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return make_room(tokens, tokens, head_size, NULL).bytes / sizeof(float);
}

/* ---- packing ---- */

/* The groups of 32 numbers of a row, which `low` and `high` are there of. */
INLINE __m512i groups_of(const float *row, __mmask16 low, __mmask16 high, __m512 scale)
{
    const __m512 first = _mm512_maskz_loadu_ps(low, row), second = _mm512_maskz_loadu_ps(high, row + LANES);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(second, scale), _mm512_mul_ps(first, scale));
}

/* `rows` rows of 32 numbers, as they stand, or (turned) as a tile that is multiplied with. */
INLINE void pack_tile(const size_t rows, const float *from, size_t stride, size_t numbers, __m512 scale, const int turned, char *at)
{
    const __mmask16 low = first_lanes(numbers), high = first_lanes(numbers < LANES ? 0 : numbers - LANES);
    __m512i groups[TILE_ROWS];
    UNROLL for (size_t i = 0; i < TILE_ROWS; i++)
        groups[i] = i < rows ? groups_of(from + i * stride, low, high, scale) : _mm512_setzero_si512();
    if (turned)
        transpose(groups);
    UNROLL for (size_t i = 0; i < TILE_ROWS; i++)
        _mm512_storeu_si512(at + i * TILE_ROW_BYTES, groups[i]);
}

INLINE void pack_tiles(size_t rows, const float *from, size_t stride, size_t head_size, float scale, const int turned, char *at)
{
    for (size_t h = 0; h < head_size; h += 32, at += TILE_BYTES)
        if (rows >= TILE_ROWS)
            pack_tile(TILE_ROWS, from + h, stride, head_size - h, _mm512_set1_ps(scale), turned, at);
        else
            pack_tile(rows, from + h, stride, head_size - h, _mm512_set1_ps(scale), turned, at);
}

INLINE void pack_values(const size_t tokens, const float *from, size_t stride, __mmask16 columns, char *at)
{
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    UNROLL for (size_t p = 0; p < TILE_ROWS; p++) {
        const size_t t = pair_token(p);
        const __m512 first = _mm512_maskz_loadu_ps(t < tokens ? columns : 0, from + t * stride);
        const __m512 second = _mm512_maskz_loadu_ps(t + 1 < tokens ? columns : 0, from + (t + 1) * stride);
        _mm512_storeu_si512(at + p * TILE_ROW_BYTES, _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(second, first)));
    }
}

/* Keys and values of tokens first .. first + CHUNK - 1, and as many queries. */
static void pack_chunk(const struct room *room, const struct attention *text, size_t h, const float *qkv, size_t stride, size_t first)
{
    const struct head *head = &room->head[h % room->heads];
    const size_t size = text->head_size, width = text->heads * size, tokens = text->tokens - first;
    const float *part = qkv + first * stride + h * size, scale = UNIT * LOG2_E / sqrtf((float)size);
    for (size_t t = 0; t < CHUNK && t < tokens; t += TILE_ROWS)
        pack_tiles(tokens - t, part + width + t * stride, stride, size, 1, 1, head->keys + (first + t) / TILE_ROWS * room->steps * TILE_BYTES);
    for (size_t t = 0; t < CHUNK && first + t < text->queries; t += BLOCK)
        pack_tiles(text->queries - first - t, part + (text->query + t) * stride, stride, size, scale, 0, head->queries + (first + t) / BLOCK * room->steps * TILE_BYTES);
    for (size_t c = 0; c < room->columns; c++) {
        const float *from = part + 2 * width + c * LANES;
        char *at = head->values + (c * room->chunks + first / CHUNK) * TILE_BYTES;
        if (tokens >= CHUNK)
            pack_values(CHUNK, from, stride, first_lanes(size - c * LANES), at);
        else
            pack_values(tokens, from, stride, first_lanes(size - c * LANES), at);
    }
}

static void pack_bias(const struct room *room, const struct attention *text, size_t h)
{
    if (!text->bias)
        return;
    const float *bias = text->bias + h * (2 * text->reach - 1) + text->reach - text->query - text->queries; /* of the last query and the first key */
    const size_t before = room->blocks * BLOCK - text->queries, count = text->queries + text->tokens - 1;
    float *into = room->head[h % room->heads].bias;
    memset(into, 0, (room->blocks * BLOCK + room->chunks * CHUNK) * sizeof *into);
    for (size_t i = 0; i < count; i++)
        into[before + i] = UNIT * LOG2_E * bias[i];
}

/* ---- scores ---- */

/* Tile instructions do not say that they read memory: what is to be read has to be there. */
#define load_tile(tile, at, stride) \
    do { \
        __asm__ volatile("" ::: "memory"); \
        _tile_loadd(tile, at, stride); \
    } while (0)

/* The scores of some of the keys' tiles, at most four. */
INLINE void multiply_keys(const size_t steps, const size_t count, const char *queries, const char *keys, const float *bias, char *scores)
{
#define BEGIN(i) \
    if (count > i && bias) \
        load_tile(i, bias + i * LANES, -(long)sizeof(float)); \
    else if (count > i) \
        _tile_zero(i);
#define STEP(i) \
    if (count > i) { \
        load_tile(6, keys + (i * steps + s) * TILE_BYTES, TILE_ROW_BYTES); \
        _tile_dpbf16ps(i, 5, 6); \
    }
#define END(i) \
    if (count > i) \
        _tile_stored(i, scores + i * TILE_BYTES, TILE_ROW_BYTES);
    BEGIN(0) BEGIN(1) BEGIN(2) BEGIN(3)
    for (size_t s = 0; s < steps; s++) {
        load_tile(5, queries + s * TILE_BYTES, TILE_ROW_BYTES);
        STEP(0) STEP(1) STEP(2) STEP(3)
    }
    END(0) END(1) END(2) END(3)
#undef BEGIN
#undef STEP
#undef END
}

static void find_scores(const struct room *room, const struct attention *text, size_t n)
{
    const struct head *head = &room->head[n / room->blocks % room->heads];
    const size_t block = n % room->blocks, steps = room->steps;
    const float *bias = text->bias ? head->bias + (room->blocks - block) * BLOCK - 1 : NULL;
    const char *keys = head->keys, *queries = head->queries + block * steps * TILE_BYTES;
    char *scores = room->scores[n % 2];
    for (size_t t = 0; t <= room->last; t += 4, keys += 4 * steps * TILE_BYTES, scores += 4 * TILE_BYTES, bias = bias ? bias + 4 * LANES : NULL)
        switch (room->last - t) {
        case 0: multiply_keys(steps, 1, queries, keys, bias, scores); break;
        case 1: multiply_keys(steps, 2, queries, keys, bias, scores); break;
        case 2: multiply_keys(steps, 3, queries, keys, bias, scores); break;
        default: multiply_keys(steps, 4, queries, keys, bias, scores); break;
        }
}

/* ---- softmax ---- */

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

static void find_most(const struct room *room, const char *scores, float most[BLOCK])
{
    __m512 rows[BLOCK];
    UNROLL for (size_t i = 0; i < BLOCK; i++)
        rows[i] = _mm512_mask_loadu_ps(_mm512_set1_ps(-FLT_MAX), room->last_lanes, scores + room->last * TILE_BYTES + i * TILE_ROW_BYTES);
    for (size_t t = 0; t < room->last; t++, scores += TILE_BYTES)
        UNROLL for (size_t i = 0; i < BLOCK; i++)
            rows[i] = _mm512_max_ps(rows[i], _mm512_loadu_ps(scores + i * TILE_ROW_BYTES));
    _mm512_storeu_ps(most, largest_of_each(rows));
}

/* 2^f is nearly 1 + f for f from 0 to 1: 512 times what that is too much, by the first six bits of f, found as what leaves the least error in all when the last two bits of
 * the result are cut off. The error is 0.0018 of a share (standard deviation), of which the rounding to bf16 alone is 0.0017. */
static const uint8_t too_much[64] = {0, 2, 4, 7, 8, 11, 13, 15, 17, 19, 20, 23, 24, 26, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38, 39, 40, 40, 41, 41, 42, 42, 42, 42, 43, 43, 42, 42, 42, 42, 41, 41, 40, 39, 38, 38, 37, 35, 34, 33, 31, 30, 29, 26, 25, 23, 21, 18, 17, 14, 11, 9, 6, 3, 1};

/* The shares of 32 scores, `first` and `second` 16 each, in the order of pair_token. x + 2^15 is the result but for what a straight line is above 2^f: its upper 7 bits are
 * an exponent, the lower ones two more than bf16 has. */
INLINE __m512i shares_of(__m512 first, __m512 second, __m512 most, __m512i table, __mmask32 valid)
{
    const __m512i x = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_sub_ps(first, most)), _mm512_cvtps_epi32(_mm512_sub_ps(second, most)));
    const __m512i less = _mm512_maskz_permutexvar_epi8(0x5555555555555555, _mm512_srli_epi16(x, 3), table);
    return _mm512_maskz_add_epi16(valid, _mm512_srai_epi16(_mm512_sub_epi16(x, less), 2), _mm512_set1_epi16(127 << 7));
}

static void soften(const struct room *room, size_t n, size_t rows)
{
    const char *scores = room->scores[n % 2];
    char *shares = room->shares;
    float most[BLOCK];
    find_most(room, scores, most);
    const __m512i table = _mm512_loadu_si512(too_much);
    for (size_t chunk = 0; chunk < room->chunks; chunk++, scores += 2 * TILE_BYTES, shares += TILE_BYTES) {
        const __mmask32 valid = chunk + 1 < room->chunks ? UINT32_MAX : room->valid;
        for (size_t i = 0; i < rows; i++) {
            const char *row = scores + i * TILE_ROW_BYTES;
            _mm512_storeu_si512(shares + i * TILE_ROW_BYTES, shares_of(_mm512_loadu_ps(row), _mm512_loadu_ps(row + TILE_BYTES), _mm512_set1_ps(most[i]), table, valid));
        }
    }
}

/* ---- contexts ---- */

/* Values of at most four columns of tiles times shares. */
INLINE void multiply_values(const struct room *room, const size_t count, const char *shares, const char *values, char *context, char *sums)
{
#define BEGIN(i) \
    if (count > i) \
        _tile_zero(i);
#define STEP(i) \
    if (count > i) { \
        load_tile(6, values + (i * room->chunks + chunk) * TILE_BYTES, TILE_ROW_BYTES); \
        _tile_dpbf16ps(i, 5, 6); \
    }
#define END(i) \
    if (count > i) \
        _tile_stored(i, context + i * TILE_BYTES, TILE_ROW_BYTES);
    BEGIN(0) BEGIN(1) BEGIN(2) BEGIN(3)
    _tile_zero(4);
    for (size_t chunk = 0; chunk < room->chunks; chunk++) {
        load_tile(5, shares + chunk * TILE_BYTES, TILE_ROW_BYTES);
        STEP(0) STEP(1) STEP(2) STEP(3)
        _tile_dpbf16ps(4, 5, 7);
    }
    END(0) END(1) END(2) END(3)
    _tile_stored(4, sums, TILE_ROW_BYTES);
#undef BEGIN
#undef STEP
#undef END
}

static void find_context(const struct room *room, size_t n)
{
    const char *values = room->head[n / room->blocks % room->heads].values;
    char *shares = room->shares, *context = room->context, *sums = context + room->columns * TILE_BYTES;
    for (size_t c = 0; c < room->columns; c += 4, values += 4 * room->chunks * TILE_BYTES, context += 4 * TILE_BYTES)
        switch (room->columns - c) {
        case 1: multiply_values(room, 1, shares, values, context, sums); break;
        case 2: multiply_values(room, 2, shares, values, context, sums); break;
        case 3: multiply_values(room, 3, shares, values, context, sums); break;
        default: multiply_values(room, 4, shares, values, context, sums); break;
        }
}

static void store_context(const struct room *room, size_t rows, size_t head_size, float *context, size_t stride)
{
    const char *row = room->context;
    const size_t last = room->columns - 1;
    const __mmask16 lanes = first_lanes(head_size - last * LANES);
    for (size_t i = 0; i < rows; i++, context += stride, row += TILE_ROW_BYTES) {
        const __m512 share = _mm512_rcp14_ps(_mm512_loadu_ps(row + room->columns * TILE_BYTES));
        for (size_t c = 0; c < last; c++)
            _mm512_storeu_ps(context + c * LANES, _mm512_mul_ps(share, _mm512_loadu_ps(row + c * TILE_BYTES)));
        _mm512_mask_storeu_ps(context + last * LANES, lanes, _mm512_mul_ps(share, _mm512_loadu_ps(row + last * TILE_BYTES)));
    }
}

/* How many queries block n has; blocks are counted through all heads. */
static size_t block_rows(const struct room *room, const struct attention *text, size_t n)
{
    const size_t first = n % room->blocks * BLOCK;
    return text->queries - first < BLOCK ? text->queries - first : BLOCK;
}

static void pack_head(const struct room *room, const struct attention *text, size_t h, const float *qkv, size_t stride)
{
    for (size_t t = 0; t < text->tokens; t += CHUNK)
        pack_chunk(room, text, h, qkv, stride, t);
    pack_bias(room, text, h);
}

/* Blocks, counted through all heads, go through stages: in step n, scores of block n, softmax of n - 1, context of n - 2, which is stored in the next step. The order within a
 * step is what was measured to be the fastest. */
static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    const struct room room = make_room(text->tokens, text->queries, text->head_size, scratch);
    const size_t end = text->heads * room.blocks;
    tiles_begin();
    for (size_t i = 0; i < TILE_BYTES; i += TILE_ROW_BYTES)
        _mm512_storeu_si512(room.context + i, _mm512_set1_epi16(0x3f80)); /* ones, which sum up shares */
    load_tile(7, room.context, TILE_ROW_BYTES);
    pack_head(&room, text, 0, qkv, qkv_stride);
    for (size_t n = 0; n < end + 3; n++) {
        if (n >= 3)
            store_context(&room, block_rows(&room, text, n - 3), text->head_size,
                          context + (n - 3) % room.blocks * BLOCK * context_stride + (n - 3) / room.blocks * text->head_size, context_stride);
        if (n >= 2 && n - 2 < end)
            find_context(&room, n - 2);
        if ((n + 1) % room.blocks == 0 && n + 1 < end)
            pack_head(&room, text, (n + 1) / room.blocks, qkv, qkv_stride);
        if (n < end)
            find_scores(&room, text, n);
        if (n >= 1 && n - 1 < end)
            soften(&room, n - 1, block_rows(&room, text, n - 1));
    }
    tiles_end();
}

const struct reduced_attention attention_amx = {attention, attention_scratch};
#endif
