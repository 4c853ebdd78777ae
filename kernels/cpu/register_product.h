/* Linear layers by products in registers. Included by reduced_source.h. */
#include "register_tile.h"

static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, panel_bytes = steps * PANEL * STEP_BYTES, tiles = (rows + ROWS - 1) / ROWS;
    const size_t share = panel_bytes / tiles; /* each tile fetches its share of the next panel */
    for (size_t j = 0; j < layer->outputs; j += PANEL) {
        const char *panel = (const char *)layer->weights + j / PANEL * panel_bytes;
        struct ahead ahead = {panel + panel_bytes, ahead_step(share, steps)};
        struct finish finish = {.then = then, .bias = layer->bias + j, .weight_scale = layer->scale + j, .weight_sums = layer->sums + j,
                                .y_stride = y_stride, .columns = layer->outputs - j < PANEL ? layer->outputs - j : PANEL};
        for (size_t i = 0; i < rows; i += ROWS) {
            finish.scale = x->scale + i;
            finish.zero = x->zero + i;
            finish.y = y + i * y_stride + j;
            product_tile(rows - i < ROWS ? rows - i : ROWS, steps, (const char *)x->values + i * x->stride, x->stride, panel, ahead, &finish);
            ahead.at += share;
        }
    }
}

/* ---- where values lie ---- */

INLINE char *row_values(const struct operand *operand, size_t row)
{
    return (char *)operand->values + row * operand->stride;
}

INLINE size_t value_at(size_t j)
{
    return j * VALUE_BYTES;
}

/* An odd number of cache lines, so that the rows of a tile do not fall into the same sets of the first-level cache. */
static size_t operand_row_bytes(size_t width)
{
    return ((packed_row_bytes(width) + 63) / 64 | 1) * 64;
}

/* Places an output's inputs, as the groups of a row, into its panel. */
static void place_outputs(const struct reduced_linear *layer, size_t output, const char *row)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP;
    char *column = (char *)layer->weights + (output / PANEL * PANEL * steps + output % PANEL) * STEP_BYTES;
    for (size_t p = 0; p < steps; p++)
        memcpy(column + p * PANEL * STEP_BYTES, row + p * STEP_BYTES, STEP_BYTES);
}
