/* Linear layers on AMX tiles (amx.h). Included by reduced_source.h.
 *
 * A number is DIGITS digits of 8 bits: q = sum of digit[d] * 256^(DIGITS - 1 - d), each in -128 .. 127, but for int8's one, which is 0 .. 255 in activations. Of the products of
 * digits those are made that count: digit[a] times digit[b] with a + b < DIGITS; products[s] adds up those with a + b = s. What is left out is as small as what rounding
 * to so many digits costs. Sums are exact, so their order does not matter; with several digits they stay below 2^31 for up to 43,690 inputs, and by_columns keeps layers to as many
 * as the states have (16,384 at most).
 *
 * A block is 16 or 32 rows by 16 or 32 columns: of the eight tiles three or four hold its sums, and the others what is multiplied, each loaded once a step; that is one load a
 * product, which takes half as long. While tiles work on a block, vectors finish the one before. */
#include "amx.h"

/* What becomes of a layer's products. */
enum tile_then { TILE_STORE, TILE_ADD, TILE_GELU, TILE_ADD_GELU /* gelu of the sum */ };
#define ROW_TILES (ROWS / TILE_ROWS)
#define COLUMN_TILES WIDTH
#define STEP_TILES (DIGITS * COLUMN_TILES) /* of a panel */
typedef int32_t block_sums[DIGITS][ROW_TILES][COLUMN_TILES][TILE_ROWS][LANES];

struct block {
    enum tile_then then;
    const char *a, *b;   /* its rows [ROW_TILES][steps, DIGITS] and its panel [steps, DIGITS, COLUMN_TILES], in tiles, from the first step on that is made now */
    size_t steps, below; /* that are made now; bytes from the first tile of rows to the second */
    int begun;           /* steps were made before, and their sums stand in `products` */
    int32_t (*products)[ROW_TILES][COLUMN_TILES][TILE_ROWS][LANES]; /* block_sums */
    const float *bias, *weight_scale, *weight_sums; /* of the panel */
    const float *scale, *zero;                      /* of the rows */
    float *y;
    size_t y_stride, rows, columns;
};

/* The layer's result in one vector: row i, columns j * LANES on. */
INLINE vector result(const struct block *block, size_t i, size_t j)
{
    vector sum = all(0), beside = load(block->bias + j * LANES);
    UNROLL for (size_t s = 0; s < DIGITS; s++) {
        integers part;
        memcpy(&part, block->products[s][i / TILE_ROWS][j][i % TILE_ROWS], sizeof part);
        sum = s ? fused(sum, all(256), to_floats(part)) : to_floats(part);
    }
#ifdef INT8
    beside = fused(all(block->zero[i]), load(block->weight_sums + j * LANES), beside);
#endif
    return fused(sum * load(block->weight_scale + j * LANES), all(block->scale[i]), beside);
}

INLINE void finish_vector(const struct block *block, size_t i, size_t j, vector v)
{
    const size_t column = j * LANES, left = block->columns > column ? block->columns - column : 0, count = left < LANES ? left : LANES;
    float *at = block->y + i * block->y_stride + column;
    if (block->then == TILE_ADD || block->then == TILE_ADD_GELU)
        v = (count == LANES ? load(at) : load_some(at, count)) + v;
    if (block->then == TILE_GELU || block->then == TILE_ADD_GELU)
        v = gelu(v);
    if (count == LANES)
        store(at, v);
    else
        store_some(at, v, count);
}

/* Rows of a block, from `first` on. */
INLINE void finish_rows(const struct block *block, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        UNROLL for (size_t j = 0; j < COLUMN_TILES; j++)
            finish_vector(block, i, j, result(block, i, j));
}

struct ahead { const char *at; size_t bytes; }; /* what is fetched into the second-level cache meanwhile */

/* Which tile holds which sums: (digits, tile of rows, tile of columns, tile), of a block's first 16 rows and of its others. */
#if DIGITS == 1
#define EACH_SUM(what) what(0, 0, 0, 0) what(0, 0, 1, 1)
#define EACH_SUM_BELOW(what) what(0, 1, 0, 2) what(0, 1, 1, 3)
#elif DIGITS == 2
#define EACH_SUM(what) what(0, 0, 0, 0) what(1, 0, 0, 1) what(0, 0, 1, 2) what(1, 0, 1, 3)
#define EACH_SUM_BELOW(what)
#else
#define EACH_SUM(what) what(0, 0, 0, 0) what(1, 0, 0, 1) what(2, 0, 0, 2)
#define EACH_SUM_BELOW(what)
#endif

/* The products of one block. Step by step, a share of the block before is finished: between two blocks it would be waited for, because a processor looks no more than
 * a few tiles ahead. */
INLINE void multiply(const int both_rows, const struct block *block, const struct block *before, struct ahead ahead)
{
    const size_t steps = block->steps;
    const char *a = block->a, *below = a + block->below, *b = block->b;
    size_t finished = 0, share = 0; /* rows of `before`; that many times the steps */
    size_t fetched = 0, fetch = 0;  /* bytes ahead; likewise */
#define LOAD(tile, at) _tile_loadd(tile, at, TILE_ROW_BYTES)
#define BEGIN(s, i, j, tile) \
    if (block->begun) \
        LOAD(tile, block->products[s][i][j]); \
    else \
        _tile_zero(tile);
#define KEEP(s, i, j, tile) _tile_stored(tile, block->products[s][i][j], TILE_ROW_BYTES);
    EACH_SUM(BEGIN)
    if (both_rows) {
        EACH_SUM_BELOW(BEGIN)
    }
    for (size_t p = 0; p < steps; p++, a += DIGITS * TILE_BYTES, below += DIGITS * TILE_BYTES, b += STEP_TILES * TILE_BYTES) {
#if DIGITS == 1
        LOAD(4, a);
        LOAD(6, b);
        _tile_dpbusd(0, 4, 6);
        LOAD(7, b + TILE_BYTES);
        _tile_dpbusd(1, 4, 7);
        if (both_rows) {
            LOAD(5, below);
            _tile_dpbusd(2, 5, 6);
            _tile_dpbusd(3, 5, 7);
        }
#elif DIGITS == 2 /* no two products with the same sums within three, or one would wait for the other */
        LOAD(5, a + TILE_BYTES);
        LOAD(6, b);
        _tile_dpbssd(1, 5, 6);
        LOAD(7, b + TILE_BYTES);
        _tile_dpbssd(3, 5, 7);
        LOAD(4, a);
        _tile_dpbssd(0, 4, 6);
        LOAD(6, b + 2 * TILE_BYTES);
        _tile_dpbssd(1, 4, 6);
        LOAD(5, b + 3 * TILE_BYTES);
        _tile_dpbssd(3, 4, 5);
        _tile_dpbssd(2, 4, 7);
#else
        LOAD(6, b);
        LOAD(3, a);
        _tile_dpbssd(0, 3, 6);
        LOAD(4, a + TILE_BYTES);
        _tile_dpbssd(1, 4, 6);
        LOAD(5, a + 2 * TILE_BYTES);
        _tile_dpbssd(2, 5, 6);
        LOAD(7, b + TILE_BYTES);
        _tile_dpbssd(1, 3, 7);
        _tile_dpbssd(2, 4, 7);
        LOAD(6, b + 2 * TILE_BYTES);
        _tile_dpbssd(2, 3, 6);
#endif
        for (fetch += ahead.bytes; fetched * steps < fetch; fetched += 64)
            __builtin_prefetch(ahead.at + fetched, 0, 2);
        for (share += before->rows; finished * steps < share; finished++)
            finish_rows(before, finished, finished + 1);
    }
    EACH_SUM(KEEP)
    if (both_rows) {
        EACH_SUM_BELOW(KEEP)
    }
#undef LOAD
#undef BEGIN
#undef KEEP
}

/* So many panels at a time, or so many steps of one, that they stay in the first-level cache beside a block's rows; and all rows of a pack, or weights would be fetched again for the rest. */
enum { PANEL_BYTES = 24576, ROWS_AT_ONCE = 288, DEEPEST = DIGITS == 1 ? 1 << 20 : 6 /* steps; int8, whose sums are few, is no faster by it */ };

INLINE void run_blocks(const enum tile_then then, const struct reduced_linear *layer, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    _Alignas(64) block_sums products[ROWS_AT_ONCE / ROWS];
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, panel_bytes = steps * STEP_TILES * TILE_BYTES, blocks = (rows + ROWS - 1) / ROWS;
    const size_t parts = (steps + DEEPEST - 1) / DEEPEST, columns = PANEL * (panel_bytes < PANEL_BYTES ? PANEL_BYTES / panel_bytes : 1);
    struct ahead ahead = {(const char *)layer->weights + columns / PANEL * panel_bytes, panel_bytes / blocks / parts}; /* for each block its share of the panels that come next */
    struct block before = {.rows = 0};
    for (size_t from = 0; from < layer->outputs; from += columns)
        for (size_t part = 0; part < parts; part++)
            for (size_t i = 0; i < rows; i += ROWS)
                for (size_t j = from; j < layer->outputs && j < from + columns; j += PANEL, ahead.at += ahead.bytes) {
                    const size_t first = steps * part / parts;
                    const struct block block = {
                        .then = then, .steps = steps * (part + 1) / parts - first, .below = TILE_ROWS * x->stride, .begun = part > 0, .products = products[parts > 1 ? i / ROWS : 0],
                        .a = (const char *)x->values + i * x->stride + first * DIGITS * TILE_BYTES,
                        .b = (const char *)layer->weights + j / PANEL * panel_bytes + first * STEP_TILES * TILE_BYTES,
                        .bias = layer->bias + j, .weight_scale = layer->scale + j, .weight_sums = layer->sums + j, .scale = x->scale + i, .zero = x->zero + i,
                        .y = y + i * y_stride + j, .y_stride = y_stride,
                        .rows = rows - i < ROWS ? rows - i : ROWS, .columns = layer->outputs - j < PANEL ? layer->outputs - j : PANEL};
                    if (before.columns < PANEL) {
                        finish_rows(&before, 0, before.rows);
                        before.rows = 0;
                    }
                    before.then = then; /* the same, with what is known at compile time */
                    before.columns = PANEL;
                    if (block.rows > TILE_ROWS)
                        multiply(1, &block, &before, ahead);
                    else
                        multiply(0, &block, &before, ahead);
                    before = block;
                    if (part + 1 < parts)
                        before.rows = 0;
                }
    finish_rows(&before, 0, before.rows);
}

/* Operands have room for whole blocks of rows: what stands behind the last one is multiplied too and not used. */
static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    tiles_begin();
    __asm__ volatile("" ::: "memory"); /* what a tile reads is stored before */
    for (size_t i = 0; i < rows; i += ROWS_AT_ONCE) {
        const size_t some = rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE;
        const struct operand part = {.values = (char *)x->values + i * x->stride, .stride = x->stride, .scale = x->scale + i, .zero = x->zero + i};
        switch (then) {
        case TILE_STORE: run_blocks(TILE_STORE, layer, some, &part, y + i * y_stride, y_stride); break;
        case TILE_ADD: run_blocks(TILE_ADD, layer, some, &part, y + i * y_stride, y_stride); break;
        case TILE_GELU: run_blocks(TILE_GELU, layer, some, &part, y + i * y_stride, y_stride); break;
        case TILE_ADD_GELU: run_blocks(TILE_ADD_GELU, layer, some, &part, y + i * y_stride, y_stride); break;
        }
    }
    tiles_end();
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
    for (size_t p = 0; p < steps * DIGITS; p++, row += GROUP) {
        char *tile = panel + (p * COLUMN_TILES + lane / LANES) * TILE_BYTES + lane % LANES * STEP_BYTES;
        for (size_t i = 0; i < TILE_ROWS; i++)
            memcpy(tile + i * TILE_ROW_BYTES, row + i * STEP_BYTES, STEP_BYTES);
    }
}
