/* Linear layers on AMX tiles (amx.h). Included by reduced_source.h.
 *
 * A number is DIGITS digits of 8 bits: q = sum of digit[d] * 256^(DIGITS - 1 - d), each in -128 .. 127, but for int8's one, which is 0 .. 255 in activations. Of the products of
 * digits those are made that count: digit[a] times digit[b] with a + b < DIGITS; products[s] adds up those with a + b = s. What is left out is as small as what rounding
 * to so many digits costs. Sums are exact, so their order does not matter.
 *
 * A block is 16 or 32 rows by 16 or 32 columns, so that tiles hold its sums, four or six of them: fewer would wait for each other. While tiles work on a block, vectors
 * finish the one before. */
#include "amx.h"

/* What becomes of a layer's products. */
enum tile_then { TILE_STORE, TILE_ADD, TILE_GELU };
#define ROW_TILES (ROWS / TILE_ROWS)
#define COLUMN_TILES WIDTH
struct block {
    enum tile_then then;
    const float *bias, *weight_scale, *weight_sums; /* of the panel */
    const float *scale, *zero;                      /* of the rows */
    float *y;
    size_t y_stride, rows, columns;
};
typedef int32_t block_sums[DIGITS][ROW_TILES][COLUMN_TILES][TILE_ROWS][LANES];

/* Bytes from digit to digit of a row of so many numbers. */
INLINE size_t plane_bytes(size_t width)
{
    return (width + GROUP - 1) / GROUP * GROUP;
}

/* The products of one block. a: its rows; b: its panel, [steps, DIGITS, COLUMN_TILES] tiles. */
INLINE void multiply(const size_t row_tiles, size_t steps, const char *a, size_t stride, const char *b, block_sums products)
{
    const char *below = a + TILE_ROWS * stride; /* the second tile of rows */
    const int both = row_tiles > 1;
#define KEEP(s, i, j, tile) _tile_stored(tile, products[s][i][j], TILE_ROW_BYTES)
#if DIGITS == 1
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t p = 0; p < steps; p++, b += 2 * TILE_BYTES) {
        _tile_loadd(4, a + p * GROUP, stride);
        _tile_loadd(6, b, TILE_ROW_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, b + TILE_BYTES, TILE_ROW_BYTES);
        _tile_dpbusd(1, 4, 7);
        if (both) {
            _tile_loadd(5, below + p * GROUP, stride);
            _tile_dpbusd(2, 5, 6);
            _tile_dpbusd(3, 5, 7);
        }
    }
    KEEP(0, 0, 0, 0);
    KEEP(0, 0, 1, 1);
    if (both) {
        KEEP(0, 1, 0, 2);
        KEEP(0, 1, 1, 3);
    }
#elif DIGITS == 2
    const size_t plane = steps * GROUP;
    (void)below, (void)both;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t p = 0; p < steps; p++, b += 4 * TILE_BYTES) {
        _tile_loadd(4, a + p * GROUP, stride);
        _tile_loadd(6, b, TILE_ROW_BYTES);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, b + TILE_BYTES, TILE_ROW_BYTES);
        _tile_dpbssd(2, 4, 7);
        _tile_loadd(5, a + plane + p * GROUP, stride);
        _tile_dpbssd(1, 5, 6);
        _tile_dpbssd(3, 5, 7);
        _tile_loadd(6, b + 2 * TILE_BYTES, TILE_ROW_BYTES);
        _tile_dpbssd(1, 4, 6);
        _tile_loadd(7, b + 3 * TILE_BYTES, TILE_ROW_BYTES);
        _tile_dpbssd(3, 4, 7);
    }
    KEEP(0, 0, 0, 0);
    KEEP(1, 0, 0, 1);
    KEEP(0, 0, 1, 2);
    KEEP(1, 0, 1, 3);
#else
    const size_t plane = steps * GROUP;
#define TIMES(sum, from, digit) \
    do { \
        _tile_loadd(6, from + digit * plane + p * GROUP, stride); \
        _tile_dpbssd(sum, 6, 7); \
    } while (0)
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (size_t p = 0; p < steps; p++, b += 3 * TILE_BYTES) {
        _tile_loadd(7, b, TILE_ROW_BYTES);
        TIMES(0, a, 0);
        TIMES(1, a, 1);
        TIMES(2, a, 2);
        if (both) {
            TIMES(3, below, 0);
            TIMES(4, below, 1);
            TIMES(5, below, 2);
        }
        _tile_loadd(7, b + TILE_BYTES, TILE_ROW_BYTES);
        TIMES(1, a, 0);
        TIMES(2, a, 1);
        if (both) {
            TIMES(4, below, 0);
            TIMES(5, below, 1);
        }
        _tile_loadd(7, b + 2 * TILE_BYTES, TILE_ROW_BYTES);
        TIMES(2, a, 0);
        if (both)
            TIMES(5, below, 0);
    }
#undef TIMES
    KEEP(0, 0, 0, 0);
    KEEP(1, 0, 0, 1);
    KEEP(2, 0, 0, 2);
    if (both) {
        KEEP(0, 1, 0, 3);
        KEEP(1, 1, 0, 4);
        KEEP(2, 1, 0, 5);
    }
#endif
#undef KEEP
}

/* The layer's result in one vector: row i, columns j * LANES on. */
INLINE vector result(const struct block *block, block_sums products, size_t i, size_t j)
{
    vector sum = all(0), beside = load(block->bias + j * LANES);
    UNROLL for (size_t s = 0; s < DIGITS; s++) {
        integers part;
        memcpy(&part, products[s][i / TILE_ROWS][j][i % TILE_ROWS], sizeof part);
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
    if (block->then == TILE_GELU)
        v = gelu(v);
    if (count == LANES)
        store(at, block->then == TILE_ADD ? load(at) + v : v);
    else
        store_some(at, block->then == TILE_ADD ? load_some(at, count) + v : v, count);
}

static __attribute__((noinline)) void finish_block(const struct block *block, block_sums products)
{
    if (block->columns == PANEL) { /* the same, with what is known at compile time */
        struct block whole = *block;
        whole.columns = PANEL;
#define EACH(what) \
    case what: \
        whole.then = what; \
        for (size_t i = 0; i < whole.rows; i++) \
            UNROLL for (size_t j = 0; j < COLUMN_TILES; j++) \
                finish_vector(&whole, i, j, result(&whole, products, i, j)); \
        break;
        switch (block->then) {
            EACH(TILE_STORE) EACH(TILE_ADD) EACH(TILE_GELU)
        }
#undef EACH
        return;
    }
    for (size_t i = 0; i < block->rows; i++)
        for (size_t j = 0; j < COLUMN_TILES; j++)
            finish_vector(block, i, j, result(block, products, i, j));
}

/* Operands have room for whole blocks of rows: what stands behind the last one is multiplied too and not used. */
static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    _Alignas(64) block_sums products[2];
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, panel_bytes = steps * DIGITS * COLUMN_TILES * TILE_BYTES;
    struct block before = {.rows = 0};
    size_t turn = 0;
    tiles_begin();
    for (size_t j = 0; j < layer->outputs; j += PANEL) {
        const char *panel = (const char *)layer->weights + j / PANEL * panel_bytes;
        for (size_t i = 0; i < rows; i += ROWS, turn ^= 1) {
            const char *a = (const char *)x->values + i * x->stride;
            const struct block block = {then, layer->bias + j, layer->scale + j, layer->sums + j, x->scale + i, x->zero + i, y + i * y_stride + j, y_stride,
                                        rows - i < ROWS ? rows - i : ROWS, layer->outputs - j < PANEL ? layer->outputs - j : PANEL};
            __asm__ volatile("" ::: "memory"); /* what a tile reads is stored before */
            if (block.rows > TILE_ROWS)
                multiply(ROW_TILES, steps, a, x->stride, panel, products[turn]);
            else
                multiply(1, steps, a, x->stride, panel, products[turn]);
            if (before.rows)
                finish_block(&before, products[turn ^ 1]);
            before = block;
        }
    }
    if (before.rows)
        finish_block(&before, products[turn ^ 1]);
    tiles_end();
}

/* Places an output's inputs, `row` as an operand has them, into its panel. */
static void place_groups(const struct reduced_linear *layer, size_t output, const char *row)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, plane = plane_bytes(layer->inputs), lane = output % PANEL;
    char *panel = (char *)layer->weights + output / PANEL * steps * DIGITS * COLUMN_TILES * TILE_BYTES;
    for (size_t p = 0; p < steps; p++)
        for (size_t d = 0; d < DIGITS; d++) {
            char *tile = panel + ((p * DIGITS + d) * COLUMN_TILES + lane / LANES) * TILE_BYTES + lane % LANES * STEP_BYTES;
            for (size_t i = 0; i < TILE_ROWS; i++)
                memcpy(tile + i * TILE_ROW_BYTES, row + d * plane + p * GROUP + i * STEP_BYTES, STEP_BYTES);
        }
}
