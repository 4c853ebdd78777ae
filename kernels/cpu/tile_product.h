/* Linear layers on AMX tiles (amx.h). Included by reduced_source.h.
 *
 * BF16: numbers are rounded to bf16, and their products are added up in f32, in the order of the inputs. Otherwise numbers are whole, and one is DIGITS digits of 8 bits:
 * q = sum of digit[d] * 256^(DIGITS - 1 - d), each in -128 .. 127, but for int8's one, which is 0 .. 255 in activations. Of the products of digits those are made that count:
 * digit[a] times digit[b] with a + b < DIGITS; sums[s] adds up those with a + b = s. What is left out is as small as what rounding to so many digits costs. Sums are exact, so their
 * order does not matter; with several digits they stay below 2^31 for up to 43,690 inputs, and by_columns keeps layers to as many as the states have (16,384 at most).
 *
 * A block is 16 or 32 rows by 16 or 32 columns: of the eight tiles three or four hold its sums, and the others what is multiplied. A product takes 16 cycles, and there is one load for
 * each, of 8 cycles from the first-level cache and some 20 from the second. So a panel, or as much of it as is multiplied at a time, stays in the first while rows pass by it, and these
 * are loaded so that they do not settle there (TILELOADDT1). What else there is is done beside products, since a processor looks no more than a few tiles ahead: a tile's sums are stored
 * just before the next block begins with that tile, and step by step vectors finish a share of the rows of the block before. Side by side, one core of Emerald Rapids, bf16, 12 steps of
 * a panel: 1.1 times the products' own time; with rows in the first-level cache too 1.4, with stores between blocks 0.1 more. */
#include "amx.h"

/* What becomes of a layer's products. */
enum tile_then { TILE_STORE, TILE_ADD, TILE_GELU, TILE_ADD_GELU /* gelu of the sum */ };
#define ROW_TILES (ROWS / TILE_ROWS)
#define COLUMN_TILES WIDTH
#define STEP_TILES (DIGITS * COLUMN_TILES) /* of a panel */
#if defined BF16
typedef vector tile_row;
#define PRODUCT _tile_dpbf16ps
#elif defined INT8
typedef integers tile_row;
#define PRODUCT _tile_dpbusd
#else
typedef integers tile_row;
#define PRODUCT _tile_dpbssd
#endif
typedef tile_row block_sums[DIGITS][ROW_TILES][COLUMN_TILES][TILE_ROWS];

struct block {
    enum tile_then then;
    const char *a, *b;   /* its rows [ROW_TILES][steps, DIGITS] and its panel [steps, DIGITS, COLUMN_TILES], in tiles, from the first step on that is made now */
    size_t steps, below; /* that are made now; bytes from the first tile of rows to the second */
    block_sums *sums;    /* where its tiles are stored */
    block_sums *earlier; /* the sums of the steps made before; NULL: there are none */
    int last;            /* no steps remain, so results are finished; otherwise sums are added to the earlier ones */
    const float *bias, *weight_scale, *weight_sums; /* of the panel */
    const float *scale, *zero;                      /* of the rows */
    float *y;
    size_t y_stride, rows, columns;
    char *values; /* BF16: where gelu's results go, in an operand's tiles; and bytes from the first tile of rows to the second */
    size_t values_below;
};

INLINE tile_row sums_of(const struct block *block, size_t s, size_t i, size_t j)
{
    const tile_row now = (*block->sums)[s][i / TILE_ROWS][j][i % TILE_ROWS];
    return block->earlier ? (*block->earlier)[s][i / TILE_ROWS][j][i % TILE_ROWS] + now : now;
}

/* The layer's result in one vector: row i, columns j * LANES on. */
#ifdef BF16
INLINE vector result(const struct block *block, size_t i, size_t j)
{
    return sums_of(block, 0, i, j) + load(block->bias + j * LANES);
}
#else
INLINE vector result(const struct block *block, size_t i, size_t j)
{
    vector sum = all(0), beside = load(block->bias + j * LANES);
    UNROLL for (size_t s = 0; s < DIGITS; s++)
        sum = s ? fused(sum, all(256), to_floats(sums_of(block, s, i, j))) : to_floats(sums_of(block, s, i, j));
#ifdef INT8
    beside = fused(all(block->zero[i]), load(block->weight_sums + j * LANES), beside);
#endif
    return fused(sum * load(block->weight_scale + j * LANES), all(block->scale[i]), beside);
}
#endif

/* How many of a vector's columns the panel has. */
INLINE size_t columns_of(const struct block *block, size_t j)
{
    const size_t column = j * LANES, left = block->columns > column ? block->columns - column : 0;
    return left < LANES ? left : LANES;
}

/* The result, and what is made of it. */
INLINE vector finished(const struct block *block, size_t i, size_t j)
{
    const size_t count = columns_of(block, j);
    const float *at = block->y + i * block->y_stride + j * LANES;
    vector v = result(block, i, j);
    if (block->then == TILE_ADD || block->then == TILE_ADD_GELU)
        v = (count == LANES ? load(at) : load_some(at, count)) + v;
    return block->then == TILE_GELU || block->then == TILE_ADD_GELU ? gelu(v) : v;
}

INLINE void finish_vector(const struct block *block, size_t i, size_t j)
{
    const size_t count = columns_of(block, j);
    float *at = block->y + i * block->y_stride + j * LANES;
    if (count == LANES)
        store(at, finished(block, i, j));
    else
        store_some(at, finished(block, i, j), count);
}

#ifdef BF16
/* 32 numbers in bf16, rounded to the nearest; a number too small for f32's exponents becomes 0. */
INLINE void store_bf16(char *at, vector first, vector second)
{
    const __m512bh both = _mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    memcpy(at, &both, sizeof both);
}

/* A row of gelu's results is one step of an operand's row. */
INLINE void finish_gelu(const struct block *block, size_t i)
{
    const vector first = finished(block, i, 0), second = finished(block, i, 1);
    store_bf16(block->values + i / TILE_ROWS * block->values_below + i % TILE_ROWS * TILE_ROW_BYTES, first, second);
}
#endif

INLINE void finish_row(const struct block *block, size_t i)
{
    if (!block->last) {
        UNROLL for (size_t s = 0; s < DIGITS; s++)
            UNROLL for (size_t j = 0; j < COLUMN_TILES; j++)
                (*block->earlier)[s][i / TILE_ROWS][j][i % TILE_ROWS] = sums_of(block, s, i, j);
        return;
    }
#ifdef BF16
    if (block->then == TILE_GELU || block->then == TILE_ADD_GELU) {
        finish_gelu(block, i);
        return;
    }
#endif
    UNROLL for (size_t j = 0; j < COLUMN_TILES; j++)
        finish_vector(block, i, j);
}

/* Before the tile's first product of a block: stores its sums of the block before. */
#define BEGIN(s, i, j, tile) \
    if (first) { \
        _tile_stored(tile, (*sums)[s][i][j], TILE_ROW_BYTES); \
        _tile_zero(tile); \
    }
#define LOAD(tile, at) _tile_loadd(tile, at, TILE_ROW_BYTES)
#define LOAD_ROWS(tile, at) _tile_stream_loadd(tile, at, TILE_ROW_BYTES)

/* One step of a block: rows [DIGITS] from a and below, panel [DIGITS, COLUMN_TILES]. */
INLINE void multiply_step(const int first, const int both_rows, const char *a, const char *below, const char *b, block_sums *sums)
{
#if DIGITS == 1
    LOAD_ROWS(4, a);
    LOAD(6, b);
    BEGIN(0, 0, 0, 0)
    PRODUCT(0, 4, 6);
    LOAD(7, b + TILE_BYTES);
    BEGIN(0, 0, 1, 1)
    PRODUCT(1, 4, 7);
    BEGIN(0, 1, 0, 2)
    BEGIN(0, 1, 1, 3)
    if (both_rows) {
        LOAD_ROWS(5, below);
        PRODUCT(2, 5, 6);
        PRODUCT(3, 5, 7);
    }
#elif DIGITS == 2
    LOAD_ROWS(4, a);
    LOAD(7, b + TILE_BYTES);
    BEGIN(1, 0, 0, 1)
    PRODUCT(1, 4, 7);
    BEGIN(1, 1, 0, 3)
    if (both_rows) {
        LOAD_ROWS(5, below);
        PRODUCT(3, 5, 7);
    }
    LOAD(6, b);
    BEGIN(0, 0, 0, 0)
    PRODUCT(0, 4, 6);
    LOAD_ROWS(4, a + TILE_BYTES);
    PRODUCT(1, 4, 6);
    BEGIN(0, 1, 0, 2)
    if (both_rows) {
        LOAD_ROWS(7, below + TILE_BYTES);
        PRODUCT(3, 7, 6);
        PRODUCT(2, 5, 6);
    }
#else
    (void)both_rows, (void)below;
    LOAD(6, b);
    LOAD_ROWS(3, a);
    BEGIN(0, 0, 0, 0)
    PRODUCT(0, 3, 6);
    LOAD_ROWS(4, a + TILE_BYTES);
    BEGIN(1, 0, 0, 1)
    PRODUCT(1, 4, 6);
    LOAD_ROWS(5, a + 2 * TILE_BYTES);
    BEGIN(2, 0, 0, 2)
    PRODUCT(2, 5, 6);
    LOAD(7, b + TILE_BYTES);
    PRODUCT(1, 3, 7);
    PRODUCT(2, 4, 7);
    LOAD(6, b + 2 * TILE_BYTES);
    PRODUCT(2, 3, 6);
#endif
}

/* Stores the sums that tiles hold. */
INLINE void store_sums(block_sums *sums)
{
    const int first = 1;
    BEGIN(0, 0, 0, 0)
#if DIGITS == 1
    BEGIN(0, 0, 1, 1)
    BEGIN(0, 1, 0, 2)
    BEGIN(0, 1, 1, 3)
#elif DIGITS == 2
    BEGIN(1, 0, 0, 1)
    BEGIN(0, 1, 0, 2)
    BEGIN(1, 1, 0, 3)
#else
    BEGIN(1, 0, 0, 1)
    BEGIN(2, 0, 0, 2)
#endif
}
#undef BEGIN
#undef LOAD
#undef LOAD_ROWS

/* Stores and finishes the block before where no products stand beside it. */
INLINE void finish_alone(const struct block *before)
{
    store_sums(before->sums);
    for (size_t i = 0; i < before->rows; i++)
        finish_row(before, i);
}

struct ahead { const char *at; size_t lines; }; /* what is fetched into the second-level cache meanwhile, so many cache lines a step */

/* The products of one block, while the one before is stored and finished. */
INLINE void multiply(const int both_rows, const struct block *block, const struct block *before, struct ahead ahead)
{
    const size_t steps = block->steps, share = steps > 1 ? (before->rows + steps - 2) / (steps - 1) : before->rows;
    const char *a = block->a, *below = a + block->below, *b = block->b;
    size_t finished = 0; /* rows of `before` */
    multiply_step(1, both_rows, a, below, b, before->sums);
    for (size_t p = 1; p < steps; p++) {
        a += DIGITS * TILE_BYTES, below += DIGITS * TILE_BYTES, b += STEP_TILES * TILE_BYTES;
        multiply_step(0, both_rows, a, below, b, NULL);
        for (size_t line = 0; line < ahead.lines; line++, ahead.at += TILE_ROW_BYTES)
            __builtin_prefetch(ahead.at, 0, 2);
        for (size_t end = finished + share < before->rows ? finished + share : before->rows; finished < end; finished++)
            finish_row(before, finished);
    }
    for (; finished < before->rows; finished++)
        finish_row(before, finished);
}

/* So much of a panel stays in the first-level cache: several panels, or some steps of one. And all rows of a pack pass by it, or weights would be fetched again for the rest. */
enum { PANEL_BYTES = 36864, ROWS_AT_ONCE = 576 };

INLINE void run_blocks(const enum tile_then then, const struct reduced_linear *layer, size_t rows, const struct operand *x, float *y, size_t y_stride, const struct operand *values)
{
    _Alignas(64) block_sums sums, earlier[ROWS_AT_ONCE / ROWS];
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, panel_bytes = steps * STEP_TILES * TILE_BYTES, blocks = (rows + ROWS - 1) / ROWS;
    const size_t parts = (panel_bytes + PANEL_BYTES - 1) / PANEL_BYTES, columns = PANEL * (parts == 1 ? PANEL_BYTES / panel_bytes : 1);
    struct ahead ahead = {(const char *)layer->weights + columns / PANEL * panel_bytes, (panel_bytes / blocks / TILE_ROW_BYTES + steps - 1) / steps};
    struct block before = {.rows = 0, .sums = &sums};
    for (size_t from = 0; from < layer->outputs; from += columns)
        for (size_t part = 0; part < parts; part++)
            for (size_t i = 0; i < rows; i += ROWS)
                for (size_t j = from; j < layer->outputs && j < from + columns; j += PANEL) {
                    const size_t first = steps * part / parts;
                    const int only_stored = part == 0 && parts > 1;
                    const struct block block = {
                        .then = then, .steps = steps * (part + 1) / parts - first, .below = TILE_ROWS * x->stride,
                        .sums = only_stored ? &earlier[i / ROWS] : &sums, .earlier = part ? &earlier[i / ROWS] : NULL, .last = part + 1 == parts,
                        .a = (const char *)x->values + i * x->stride + first * DIGITS * TILE_BYTES,
                        .b = (const char *)layer->weights + j / PANEL * panel_bytes + first * STEP_TILES * TILE_BYTES,
                        .bias = layer->bias + j, .weight_scale = layer->scale + j, .weight_sums = layer->sums + j, .scale = x->scale + i, .zero = x->zero + i,
                        .y = y + i * y_stride + j, .y_stride = y_stride, .rows = rows - i < ROWS ? rows - i : ROWS, .columns = layer->outputs - j < PANEL ? layer->outputs - j : PANEL,
                        .values = values ? (char *)values->values + i * values->stride + j / PANEL * TILE_BYTES : NULL, .values_below = values ? TILE_ROWS * values->stride : 0};
                    if (before.columns < PANEL) {
                        finish_alone(&before);
                        before = (struct block){.rows = 0, .sums = &sums};
                    }
                    before.then = then; /* the same, with what is known at compile time */
                    before.columns = PANEL;
                    if (block.rows > TILE_ROWS)
                        multiply(1, &block, &before, ahead);
                    else
                        multiply(0, &block, &before, ahead);
                    ahead.at += ahead.lines * TILE_ROW_BYTES * (block.steps - 1);
                    before = block;
                    if (only_stored)
                        before.rows = 0;
                }
    finish_alone(&before);
}

/* Operands have room for whole blocks of rows: what stands behind the last one is multiplied too and not used. */
static void run_tiles(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride, const struct operand *values)
{
    tiles_begin();
    __asm__ volatile("" ::: "memory"); /* what a tile reads is stored before */
    for (size_t i = 0; i < rows; i += ROWS_AT_ONCE) {
        const size_t some = rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE;
        const struct operand part = {.values = (char *)x->values + i * x->stride, .stride = x->stride, .scale = x->scale + i, .zero = x->zero + i};
        const struct operand into = {.values = values ? (char *)values->values + i * values->stride : NULL, .stride = values ? values->stride : 0};
        switch (then) {
        case TILE_STORE: run_blocks(TILE_STORE, layer, some, &part, y + i * y_stride, y_stride, NULL); break;
        case TILE_ADD: run_blocks(TILE_ADD, layer, some, &part, y + i * y_stride, y_stride, NULL); break;
        case TILE_GELU: run_blocks(TILE_GELU, layer, some, &part, y + i * y_stride, y_stride, &into); break;
        case TILE_ADD_GELU: run_blocks(TILE_ADD_GELU, layer, some, &part, y + i * y_stride, y_stride, &into); break;
        }
    }
    tiles_end();
}

static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    run_tiles(layer, then, rows, x, y, y_stride, NULL);
}

/* ---- where values lie ---- */

/* A row of x in the tiles of an operand: GROUP values of a digit, then APART bytes on those of the next digit, or of the next values. */
#define APART TILE_BYTES
INLINE char *row_values(const struct operand *operand, size_t row)
{
    return (char *)operand->values + row / TILE_ROWS * TILE_ROWS * operand->stride + row % TILE_ROWS * TILE_ROW_BYTES;
}

INLINE size_t value_at(size_t j)
{
    return j / GROUP * DIGITS * APART + j % GROUP;
}

static size_t operand_row_bytes(size_t width)
{
    return packed_row_bytes(width);
}

/* Places an output's inputs into its panel; row [steps, DIGITS, GROUP]. */
static void place_outputs(const struct reduced_linear *layer, size_t output, const char *row)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, lane = output % PANEL;
    char *panel = (char *)layer->weights + output / PANEL * steps * DIGITS * COLUMN_TILES * TILE_BYTES;
    for (size_t p = 0; p < steps * DIGITS; p++, row += TILE_ROW_BYTES) {
        char *tile = panel + (p * COLUMN_TILES + lane / LANES) * TILE_BYTES + lane % LANES * STEP_BYTES;
        for (size_t i = 0; i < TILE_ROWS; i++)
            memcpy(tile + i * TILE_ROW_BYTES, row + i * STEP_BYTES, STEP_BYTES);
    }
}
