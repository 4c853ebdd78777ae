/* The source of self-attention on AMX tiles (reduced_attention.h). A file attention_amx_<how>.c defines TERMS and includes this.
 *
 * Tiles multiply bf16, which has 8 bits. TERMS 1: every factor is rounded to it. 2: it is a sum of two such, its upper 8 bits and what is left, rounded, 16 bits together; and of the four
 * products those three are made that count (Henry, Tang and Heinecke 2019, arXiv 1904.06376). They are all added up in f32. */
#include "reduced_attention.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "amx.h"
#include "avx512_vectors.h"

#include "vectors.h"
#include "transpose.h"
#if TERMS == 2
#include "short_power.h"
#endif

/* Tokens are taken 32 at a time, a chunk: as many as one tile of shares, what values are multiplied with, has columns. Of scores a chunk is two tiles.
 * Queries are taken 16 at a time, a block.
 *
 * A score is an exponent of two: times log2(e), which queries are multiplied with. Less the largest of its row it is at most 0, and its share is 2^score. What is divided by in the end is
 * the sum of shares as rounded.
 *
 * The processor makes products of tiles beside all else, if it has both to do within the few hundred instructions that it looks ahead. So softmax of one block is made piece by piece while
 * tiles are multiplied for others. But a tile that was stored to just before is loaded only when all instructions up to the store are done with, which takes the overlap away. So nothing
 * is used within hundreds of instructions of where it was made: see the stages of attention(). */
enum { CHUNK = 32, BLOCK = TILE_ROWS, HEADS = 3 };
#define LOG2_E 1.44269504f
#if TERMS == 1
#define UNIT 512 /* a score is found in units of 2^-9 */
#else
#define UNIT 1
#endif

struct room {
    size_t chunks;  /* of tokens */
    size_t blocks;  /* of queries, for each head */
    size_t steps;   /* of 32 numbers of a head */
    size_t columns; /* tiles' columns: 16 numbers of a head each */
    size_t last;    /* the last tile of scores in a row, and which of its columns stand for tokens */
    __mmask16 last_lanes;
    struct head {
        char *keys;    /* [2 * chunks, steps, TERMS] tiles of [16 pairs of numbers, 16 tokens, 2] */
        char *values;  /* [columns, chunks, TERMS] tiles of [16 pairs of tokens, 16 numbers, 2] */
        char *queries; /* [blocks, steps, TERMS] tiles of [BLOCK, 16 pairs of numbers, 2], in units of a score */
        float *bias;   /* in units of a score, from that of the first key and the last query on: [blocks * BLOCK - 1 + chunks * CHUNK] */
    } head[HEADS];  /* head h is in [h % heads] */
    size_t heads;   /* HEADS, or 2, where these do: less has to be held in the nearest cache */
    char *scores[2]; /* [2 * chunks] tiles of [BLOCK, 16] floats; of block n in [n % 2] */
    char *shares[2]; /* [chunks, TERMS] tiles of [BLOCK, 16 pairs of tokens, 2]; likewise */
    char *context;   /* [columns + 1] tiles of [BLOCK, 16] floats; in the last, each number of a row is the sum of its shares */
    size_t bytes;    /* of all this */
};

static char *take(char **at, size_t bytes)
{
    char *here = *at;
    *at += (bytes + 63) / 64 * 64;
    return here;
}

/* Number `i`, 0 or 1, of pair p of a chunk is this token. It is as store_shares leaves them. */
INLINE size_t pair_token(size_t p, size_t i)
{
    return TERMS == 1 ? p / 4 * 4 + p % 2 * 2 + p / 2 % 2 * 16 + i : p + 16 * i;
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
    for (size_t i = 0; i < HEADS; i++) {
        room.head[i].keys = take(&at, 2 * room.chunks * room.steps * TERMS * TILE_BYTES);
        room.head[i].values = take(&at, room.columns * room.chunks * TERMS * TILE_BYTES);
        room.head[i].queries = take(&at, room.blocks * room.steps * TERMS * TILE_BYTES);
        room.head[i].bias = (float *)take(&at, (room.blocks * BLOCK + room.chunks * CHUNK) * sizeof(float));
    }
    for (size_t i = 0; i < 2; i++) {
        room.scores[i] = take(&at, 2 * room.chunks * TILE_BYTES);
        room.shares[i] = take(&at, room.chunks * TERMS * TILE_BYTES);
    }
    room.context = take(&at, (room.columns + 1) * TILE_BYTES);
    room.bytes = (size_t)(at - (char *)scratch);
    return room;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return make_room(tokens, tokens, head_size, NULL).bytes / sizeof(float);
}

/* ---- packing ---- */

/* Term `term` of two vectors, as pairs: the upper 16 bits of numbers, once the terms before are taken from them; the last term is rounded. */
INLINE __m512i pairs_of(__m512 first, __m512 second, const size_t term)
{
    const __m512i upper = _mm512_set1_epi32(-0x10000), half = _mm512_set1_epi32(0x8000);
    UNROLL for (size_t t = 0; t < term; t++) {
        first = _mm512_sub_ps(first, (__m512)_mm512_and_si512((__m512i)first, upper));
        second = _mm512_sub_ps(second, (__m512)_mm512_and_si512((__m512i)second, upper));
    }
    if (term == TERMS - 1) {
        first = (__m512)_mm512_add_epi32((__m512i)first, half);
        second = (__m512)_mm512_add_epi32((__m512i)second, half);
    }
    return _mm512_ternarylogic_epi32(_mm512_srli_epi32((__m512i)first, 16), (__m512i)second, upper, 0xf8); /* a | (b & c) */
}

/* `rows` rows of 32 numbers, as they stand, or (turned) as a tile that is multiplied with. */
INLINE void pack_tile(const size_t rows, const float *from, size_t stride, size_t numbers, __m512 scale, const int turned, char *at)
{
    const __mmask16 low = first_lanes(numbers), high = first_lanes(numbers < LANES ? 0 : numbers - LANES);
    UNROLL for (size_t term = 0; term < TERMS; term++, at += TILE_BYTES) {
        __m512i pairs[TILE_ROWS];
        UNROLL for (size_t i = 0; i < TILE_ROWS; i++) {
            const float *row = from + i * stride;
            pairs[i] = i < rows ? pairs_of(_mm512_mul_ps(_mm512_maskz_loadu_ps(low, row), scale), _mm512_mul_ps(_mm512_maskz_loadu_ps(high, row + LANES), scale), term) : _mm512_setzero_si512();
        }
        if (turned)
            transpose(pairs);
        UNROLL for (size_t i = 0; i < TILE_ROWS; i++)
            _mm512_storeu_si512(at + i * TILE_ROW_BYTES, pairs[i]);
    }
}

INLINE void pack_tiles(size_t rows, const float *from, size_t stride, size_t head_size, float scale, const int turned, char *at)
{
    for (size_t h = 0; h < head_size; h += 32, at += TERMS * TILE_BYTES)
        if (rows >= TILE_ROWS)
            pack_tile(TILE_ROWS, from + h, stride, head_size - h, _mm512_set1_ps(scale), turned, at);
        else
            pack_tile(rows, from + h, stride, head_size - h, _mm512_set1_ps(scale), turned, at);
}

INLINE void pack_values(const size_t tokens, const float *from, size_t stride, __mmask16 columns, char *at)
{
    UNROLL for (size_t p = 0; p < TILE_ROWS; p++) {
        const size_t first = pair_token(p, 0), second = pair_token(p, 1);
        const __m512 a = _mm512_maskz_loadu_ps(first < tokens ? columns : 0, from + first * stride), b = _mm512_maskz_loadu_ps(second < tokens ? columns : 0, from + second * stride);
        UNROLL for (size_t term = 0; term < TERMS; term++)
            _mm512_storeu_si512(at + term * TILE_BYTES + p * TILE_ROW_BYTES, pairs_of(a, b, term));
    }
}

/* Keys and values of tokens first .. first + CHUNK - 1, and as many queries. */
static void pack_chunk(const struct room *room, const struct attention *text, size_t h, const float *qkv, size_t stride, size_t first)
{
    const struct head *head = &room->head[h % room->heads];
    const size_t size = text->head_size, width = text->heads * size, tokens = text->tokens - first;
    const float *part = qkv + first * stride + h * size, scale = UNIT * LOG2_E / sqrtf((float)size);
    for (size_t t = 0; t < CHUNK && t < tokens; t += TILE_ROWS)
        pack_tiles(tokens - t, part + width + t * stride, stride, size, 1, 1, head->keys + (first + t) / TILE_ROWS * room->steps * TERMS * TILE_BYTES);
    for (size_t t = 0; t < CHUNK && first + t < text->queries; t += BLOCK)
        pack_tiles(text->queries - first - t, part + (text->query + t) * stride, stride, size, scale, 0, head->queries + (first + t) / BLOCK * room->steps * TERMS * TILE_BYTES);
    for (size_t c = 0; c < room->columns; c++) {
        const float *from = part + 2 * width + c * LANES;
        char *at = head->values + (c * room->chunks + first / CHUNK) * TERMS * TILE_BYTES;
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

/* The largest score of each row. Columns of the last chunk that stand for no token are made so small that their shares are nothing. */
static void find_most(const struct room *room, char *scores, float most[BLOCK])
{
    __m512 rows[BLOCK];
    char *last = scores + room->last * TILE_BYTES;
    UNROLL for (size_t i = 0; i < BLOCK; i++) {
        rows[i] = _mm512_mask_loadu_ps(_mm512_set1_ps(-FLT_MAX), room->last_lanes, last + i * TILE_ROW_BYTES);
        _mm512_storeu_ps(last + i * TILE_ROW_BYTES, rows[i]);
        if (room->last % 2 == 0)
            _mm512_storeu_ps(last + TILE_BYTES + i * TILE_ROW_BYTES, _mm512_set1_ps(-FLT_MAX));
    }
    for (size_t t = 0; t < room->last; t++, scores += TILE_BYTES)
        UNROLL for (size_t i = 0; i < BLOCK; i++)
            rows[i] = _mm512_max_ps(rows[i], _mm512_loadu_ps(scores + i * TILE_ROW_BYTES));
    _mm512_storeu_ps(most, largest_of_each(rows));
}

#if TERMS == 1
/* 2^f is nearly 1 + f for f from 0 to 1: 512 times what that is too much, by the first six bits of f, found as what leaves the least error in all when the last two bits of
 * the result are cut off. The error is 0.0018 of a share (standard deviation), of which the rounding to bf16 alone is 0.0017. */
static const uint8_t too_much[64] = {0, 2, 4, 7, 8, 11, 13, 15, 17, 19, 20, 23, 24, 26, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38, 39, 40, 40, 41, 41, 42, 42, 42, 42, 43, 43, 42, 42, 42, 42, 41, 41, 40, 39, 38, 38, 37, 35, 34, 33, 31, 30, 29, 26, 25, 23, 21, 18, 17, 14, 11, 9, 6, 3, 1};

/* The shares of 32 scores, in the order of pair_token: 1 at most, 2^-64 at least. A score less the largest is a 16-bit integer x. x + 2^15 is the result but for what a straight line is above
 * 2^f: its upper 7 bits are an exponent, the lower ones two more than bf16 has. */
INLINE void store_shares(__m512 first, __m512 second, __m512 most, char *at)
{
    const __m512i x = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_sub_ps(first, most)), _mm512_cvtps_epi32(_mm512_sub_ps(second, most)));
    const __m512i less = _mm512_maskz_permutexvar_epi8(0x5555555555555555, _mm512_srli_epi16(x, 3), _mm512_loadu_si512(too_much));
    _mm512_storeu_si512(at, _mm512_add_epi16(_mm512_srai_epi16(_mm512_sub_epi16(x, less), 2), _mm512_set1_epi16(127 << 7)));
}
#else
INLINE void store_shares(__m512 first, __m512 second, __m512 most, char *at)
{
    const __m512 a = (__m512)power_of_difference((vector)first, (vector)most), b = (__m512)power_of_difference((vector)second, (vector)most);
    UNROLL for (size_t term = 0; term < TERMS; term++)
        _mm512_storeu_si512(at + term * TILE_BYTES, pairs_of(a, b, term));
}
#endif

/* Softmax of a block, but for the division, while tiles are multiplied for others: 32 scores of a row at a time, rows of a chunk and then the next chunk. */
struct softening {
    size_t rows, all, left; /* rows of the block; pieces of 32 scores, those that are left */
    size_t row;             /* the next piece: this row of the chunk at `scores` and `shares` */
    const char *scores;
    char *shares;
    size_t products; /* of tiles, in whose course all pieces are softened */
    size_t due;      /* products done, times `all`, less pieces softened in their course, times `products` */
    float most[BLOCK];
};

INLINE void soften_next(struct softening *softening)
{
    const size_t row = softening->row;
    const char *scores = softening->scores + row * TILE_ROW_BYTES;
    store_shares(_mm512_loadu_ps(scores), _mm512_loadu_ps(scores + TILE_BYTES), _mm512_set1_ps(softening->most[row]), softening->shares + row * TILE_ROW_BYTES);
    softening->left--;
    if (++softening->row == softening->rows) {
        softening->row = 0;
        softening->scores += 2 * TILE_BYTES;
        softening->shares += TERMS * TILE_BYTES;
    }
}

/* Behind so many products. */
INLINE void soften_some(struct softening *softening, size_t products)
{
    for (softening->due += products * softening->all; softening->due >= softening->products; softening->due -= softening->products)
        soften_next(softening);
}

/* Of block n, or of none. */
static struct softening begin_softening(const struct room *room, size_t n, size_t rows, size_t products)
{
    struct softening softening = {.rows = rows, .left = room->chunks * rows, .all = room->chunks * rows, .products = products, .scores = room->scores[n % 2], .shares = room->shares[n % 2]};
    if (rows)
        find_most(room, room->scores[n % 2], softening.most);
    return softening;
}

/* ---- scores ---- */

/* Tile instructions do not say that they read memory: what is to be read has to be there. */
#define load_tile(tile, at, stride) \
    do { \
        __asm__ volatile("" ::: "memory"); \
        _tile_loadd(tile, at, stride); \
    } while (0)
#define stream_tile(tile, at, stride) /* which does not settle in the first-level cache */ \
    do { \
        __asm__ volatile("" ::: "memory"); \
        _tile_stream_loadd(tile, at, stride); \
    } while (0)

/* Which terms of a and of b are multiplied, what is smallest first; a term of a stays in its tile, and behind the last product with it it is `done`. */
#if TERMS == 1
#define PRODUCTS 1
#define EACH_PRODUCT(product, done) product(0, 0) done
#else
#define PRODUCTS 3
#define EACH_PRODUCT(product, done) product(1, 0) done product(0, 1) product(0, 0) done
#endif

/* Tile i, of at most four: plus a [TERMS] times b [TERMS], `apart` bytes from one i to the next. */
#define PRODUCT(s, t) \
    load_tile(5, a + s * TILE_BYTES, TILE_ROW_BYTES); \
    TIMES(0, t) TIMES(1, t) TIMES(2, t) TIMES(3, t) \
    soften_some(softening, count);
#define TIMES(i, t) \
    if (count > i) { \
        stream_tile(6, b + i * apart + t * TILE_BYTES, TILE_ROW_BYTES); \
        _tile_dpbf16ps(i, 5, 6); \
    }

/* The scores of some of the keys' tiles, at most four. */
INLINE void multiply_keys(const size_t steps, const size_t count, const char *a, const char *b, const float *bias, char *scores, struct softening *softening)
{
    const size_t apart = steps * TERMS * TILE_BYTES;
#define BEGIN(i) \
    if (count > i && bias) \
        load_tile(i, bias + i * LANES, -(long)sizeof(float)); \
    else if (count > i) \
        _tile_zero(i);
#define END(i) \
    if (count > i) \
        _tile_stored(i, scores + i * TILE_BYTES, TILE_ROW_BYTES);
    BEGIN(0) BEGIN(1) BEGIN(2) BEGIN(3)
    for (size_t s = 0; s < steps; s++, a += TERMS * TILE_BYTES, b += TERMS * TILE_BYTES) {
        EACH_PRODUCT(PRODUCT, )
    }
    END(0) END(1) END(2) END(3)
#undef BEGIN
#undef END
}

INLINE void find_scores(const struct room *room, const struct attention *text, size_t n, struct softening *softening)
{
    const struct head *head = &room->head[n / room->blocks % room->heads];
    const size_t block = n % room->blocks, steps = room->steps;
    const float *bias = text->bias ? head->bias + (room->blocks - block) * BLOCK - 1 : NULL;
    const char *keys = head->keys, *queries = head->queries + block * steps * TERMS * TILE_BYTES;
    char *scores = room->scores[n % 2];
    for (size_t t = 0; t <= room->last; t += 4, keys += 4 * steps * TERMS * TILE_BYTES, scores += 4 * TILE_BYTES, bias = bias ? bias + 4 * LANES : NULL)
        switch (room->last - t) {
        case 0: multiply_keys(steps, 1, queries, keys, bias, scores, softening); break;
        case 1: multiply_keys(steps, 2, queries, keys, bias, scores, softening); break;
        case 2: multiply_keys(steps, 3, queries, keys, bias, scores, softening); break;
        default: multiply_keys(steps, 4, queries, keys, bias, scores, softening); break;
        }
}

/* ---- contexts ---- */

/* Values of at most four columns of tiles times shares. */
INLINE void multiply_values(const struct room *room, const size_t count, const char *a, const char *b, char *context, char *sums, struct softening *softening)
{
    const size_t apart = room->chunks * TERMS * TILE_BYTES;
#define BEGIN(i) \
    if (count > i) \
        _tile_zero(i);
#define END(i) \
    if (count > i) \
        _tile_stored(i, context + i * TILE_BYTES, TILE_ROW_BYTES);
    BEGIN(0) BEGIN(1) BEGIN(2) BEGIN(3)
    _tile_zero(4);
    for (size_t chunk = 0; chunk < room->chunks; chunk++, a += TERMS * TILE_BYTES, b += TERMS * TILE_BYTES) {
        EACH_PRODUCT(PRODUCT, _tile_dpbf16ps(4, 5, 7);)
    }
    END(0) END(1) END(2) END(3)
    _tile_stored(4, sums, TILE_ROW_BYTES);
#undef BEGIN
#undef END
}

INLINE void find_context(const struct room *room, size_t n, struct softening *softening)
{
    const char *values = room->head[n / room->blocks % room->heads].values;
    char *shares = room->shares[n % 2], *context = room->context, *sums = context + room->columns * TILE_BYTES;
    for (size_t c = 0; c < room->columns; c += 4, values += 4 * room->chunks * TERMS * TILE_BYTES, context += 4 * TILE_BYTES)
        switch (room->columns - c) {
        case 1: multiply_values(room, 1, shares, values, context, sums, softening); break;
        case 2: multiply_values(room, 2, shares, values, context, sums, softening); break;
        case 3: multiply_values(room, 3, shares, values, context, sums, softening); break;
        default: multiply_values(room, 4, shares, values, context, sums, softening); break;
        }
}

/* 1 / x */
INLINE __m512 reciprocal(__m512 x)
{
    const __m512 nearly = _mm512_rcp14_ps(x);
    return TERMS == 1 ? nearly : _mm512_mul_ps(nearly, _mm512_fnmadd_ps(x, nearly, _mm512_set1_ps(2)));
}

static void store_context(const struct room *room, size_t rows, size_t head_size, float *context, size_t stride)
{
    const char *row = room->context;
    const size_t last = room->columns - 1;
    const __mmask16 lanes = first_lanes(head_size - last * LANES);
    for (size_t i = 0; i < rows; i++, context += stride, row += TILE_ROW_BYTES) {
        const __m512 share = reciprocal(_mm512_loadu_ps(row + room->columns * TILE_BYTES));
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

/* Blocks, counted through all heads, go through stages: in step n, scores of block n, softmax of n - 1 beside them, context of n - 2, which is stored in the next step. */
static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    const struct room room = make_room(text->tokens, text->queries, text->head_size, scratch);
    const size_t end = text->heads * room.blocks, score_products = (room.last + 1) * room.steps * PRODUCTS, context_products = room.columns * room.chunks * PRODUCTS;
    tiles_begin();
    for (size_t i = 0; i < TILE_BYTES; i += TILE_ROW_BYTES)
        _mm512_storeu_si512(room.context + i, _mm512_set1_epi16(0x3f80)); /* ones, which sum up shares */
    load_tile(7, room.context, TILE_ROW_BYTES);
    pack_head(&room, text, 0, qkv, qkv_stride);
    for (size_t n = 0; n < end + 3; n++) {
        const int scoring = n < end, softens = n >= 1 && n - 1 < end, summing = n >= 2 && n - 2 < end;
        if (n >= 3)
            store_context(&room, block_rows(&room, text, n - 3), text->head_size,
                          context + (n - 3) % room.blocks * BLOCK * context_stride + (n - 3) / room.blocks * text->head_size, context_stride);
        struct softening softening = begin_softening(&room, n - 1, softens ? block_rows(&room, text, n - 1) : 0, (scoring ? score_products : 0) + (summing ? context_products : 0));
        if (summing)
            find_context(&room, n - 2, &softening);
        if ((n + 1) % room.blocks == 0 && n + 1 < end)
            pack_head(&room, text, (n + 1) / room.blocks, qkv, qkv_stride);
        if (scoring)
            find_scores(&room, text, n, &softening);
        while (softening.left)
            soften_next(&softening);
    }
    tiles_end();
}
