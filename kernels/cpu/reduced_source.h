/* The one source of the linear layers in reduced precision. A file reduced_<values>_<set>.c defines, then includes this:
 *   INT16 or INT8   what values are, or
 *   DIGITS        the digits of 8 bits that they have, on AMX tiles (tile_product.h); where INT8 or BF16 is defined too, 1
 *   BF16          on AMX tiles: values are bf16
 *   GROUP         inputs that one lane takes at a time: 4 of int8, 2 of the others; or a row of a tile, 64, or 32 of bf16
 *   PAIRED        where products are made by pairs (see multiply_pairs): int16 alone
 *   LANES, ROWS, WIDTH, vector, integers   as kernels_source.h has them
 *   sums, dot(sum, x, weights)             a vector of sums; one instruction's multiply-adds, x in every lane the same group
 *   dot_two(sum, x0, weights0, x1, weights1)   int8, where products are added in 16 bits first: two groups' at a time, the first two of each and the last two
 *   fused(a, b, c)                         a * b + c, rounded once
 *   to_floats(sums), vector_larger(a, b), vector_smaller(a, b), vector_sum(a), vector_largest(a)
 *   paired_step(sums, x, first, second, single)   PAIRED: see paired_step.h
 *   dot_some(sum, lanes, a, b), shifted(a, b)   PAIRED: dot in those lanes alone, a bit each; a[1 ..] and then b[0]
 *   round_two(first, second, factor)       int16: two vectors times `factor`, to the nearest whole number, as 2 * LANES values of an operand
 *   store_bytes(at, v)                     int8: the values of four vectors, to the nearest of 0 .. 255
 *   look_up(table, numbers), integers_smaller(a, b)   if there are: numbers table[0 .. 2 * LANES - 1] by the low bits of integers; the smaller of two
 *   swap_halves(v), swap_quarters(v)       int8: a vector's halves change places; the quarters in each half do */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reduced.h"

#define PANEL (WIDTH * LANES)
#define ROTATED_ROWS 4 /* that are kept at a time: two that are converted, two that are measured */
#ifdef dot_two /* int8: the largest activation. With 180, embeddings were closest to f32 there: with fewer, activations lose more than weights gain */
#define LEVELS 180
#else
#define LEVELS 255
#endif
#if defined INT8 || defined DIGITS
#define PARTS 1
#else
#define PARTS 2
#endif
#define STEP_BYTES 4 /* of what one lane takes at a time */
#ifdef PAIRED /* rows and panels are taken by twos */
#define TWOS 2
#else
#define TWOS 1
#endif
#ifdef DIGITS
#define TILED TILE_ROWS
#ifdef BF16
#define VALUE_BYTES 2
#else
#define VALUE_BYTES DIGITS
#endif
#else
#define TILED 0
#define VALUE_BYTES (STEP_BYTES / GROUP)
#endif
#include "vectors.h"
#include "layer_norm.h"

#if defined DIGITS && DIGITS == 3
#include "f32_functions.h"
#else
#include "reduced_gelu.h"
#endif

#ifndef PAIRED /* which has more than the values of each row and output (seven_operands.h) */
enum { PACKED_TOGETHER = 1 }; /* outputs that are placed at a time */

/* The values of a row, or of an output's weights, filled up to whole groups. */
static size_t packed_row_bytes(size_t width)
{
    return (width + GROUP - 1) / GROUP * GROUP * VALUE_BYTES;
}

static size_t weight_bytes(size_t inputs, size_t outputs)
{
    return (outputs + PANEL - 1) / PANEL * PANEL * packed_row_bytes(inputs);
}

static size_t operand_room(size_t width)
{
        return ROTATED_ROWS * width * sizeof(float);
}
#endif

#if defined DIGITS
#include "tile_product.h"
#elif defined PAIRED
#include "seven_products.h"
#else
#include "register_product.h"
#endif
#ifdef BF16
#include "bf16_rows.h"
#else
#include "reduced_rows.h"
#endif

static void linear(const struct reduced_linear *layer, enum linear_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    run_linear(layer, then == LINEAR_ADD ? TILE_ADD : TILE_STORE, rows, x, y, y_stride);
}

static void convert(size_t rows, size_t width, const float *x, size_t stride, const struct operand *into)
{
    convert_rows(0, rows, width, x, stride, into);
}

static void linear_gelu(const struct reduced_linear *layer, enum linear_then then, size_t rows, const struct operand *x, float *scratch, size_t scratch_stride, const struct operand *y)
{
    const enum tile_then gelu_then = then == LINEAR_ADD ? TILE_ADD_GELU : TILE_GELU;
#ifdef BF16 /* which needs no row's largest number */
    run_tiles(layer, gelu_then, rows, x, scratch, scratch_stride, y);
#else
    run_linear(layer, gelu_then, rows, x, scratch, scratch_stride);
    convert(rows, layer->outputs, scratch, scratch_stride, y);
#endif
}

static void layer_norm(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, size_t parts, const struct operand *into)
{
    float factors[NORM_ROWS];
    for (size_t i = 0, some; i < rows; i += some) {
        some = rows - i < NORM_ROWS ? rows - i : NORM_ROWS;
        layer_norm_rows(some, width, x + i * stride, stride, gain, bias, epsilon, x + i * stride, stride, factors);
        for (size_t p = 0; p < parts; p++)
            convert_rows(i, i + some, width / parts, x + p * (width / parts), stride, &into[p]);
    }
}

/* ---- packing ---- */

#ifdef INT8
#ifdef dot_two
/* The largest sum of weights of one sign whose products with activations are added in 16 bits. */
static float largest_four(size_t inputs, const float *weights)
{
    float largest = 0;
    for (size_t p = 0; p < inputs; p += 2 * GROUP) {
        float two[2 * GROUP] = {0}, above[2] = {0}, below[2] = {0}; /* of the first halves of both groups, of the last halves */
        memcpy(two, weights + p, (inputs - p < 2 * GROUP ? inputs - p : 2 * GROUP) * sizeof *two);
        UNROLL for (size_t i = 0; i < 2 * GROUP; i++) {
            above[i % GROUP / 2] += two[i] > 0 ? two[i] : 0;
            below[i % GROUP / 2] -= two[i] < 0 ? two[i] : 0;
        }
        UNROLL for (size_t half = 0; half < 2; half++) {
            largest = above[half] > largest ? above[half] : largest;
            largest = below[half] > largest ? below[half] : largest;
        }
    }
    return largest;
}
#endif

/* The unit of an output's weights. */
static float weight_unit(size_t inputs, const float *weights, float most)
{
    float unit = most / 127;
#ifdef dot_two
    /* Activations, which rounding may bring to one more than LEVELS, times four weights, which it may make larger by 2 together, stay below 2^15. */
    unit = fmaxf(unit, largest_four(inputs, weights) / (32767.0f / (LEVELS + 1) - 2));
#else
    (void)inputs, (void)weights;
#endif
    return unit > 0 ? unit : 1;
}

static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, const float *factors, float *rotated, int8_t *row)
{
    const float most = largest_rotated(layer->inputs, weights, factors, rotated);
    int32_t sum = 0;
    const float unit = weight_unit(layer->inputs, rotated, most), factor = 1 / unit;
    for (size_t p = 0; p < layer->inputs; p++) {
        row[p] = (int8_t)(int32_t)nearbyintf(rotated[p] * factor);
        sum += row[p];
    }
    layer->scale[output] = unit;
    layer->sums[output] = unit * (float)sum;
}
#elif defined BF16
static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, const float *factors, float *rotated, char *row)
{
    (void)output, (void)factors, (void)rotated;
    convert_numbers(layer->inputs, weights, row, TILE_ROW_BYTES);
}
#elif defined DIGITS
static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, const float *factors, float *rotated, char *row)
{
    const float factor = digits_factor(largest_rotated(layer->inputs, weights, factors, rotated));
    layer->scale[output] = UNIT / factor;
    convert_numbers(layer->inputs, rotated, factor, row, GROUP);
}
#else
static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, const float *factors, float *rotated, char *row)
{
    const struct steps steps = measure_row(layer->inputs, weights, &(struct operand){.scale = layer->scale, .room = rotated, .factors = factors}, output);
    convert_values(layer->inputs, rotated + output % ROTATED_ROWS * layer->inputs, steps, row);
}
#endif

/* Outputs are converted by as many as are placed together; `values` and what is behind an output's inputs are zero. */
static int pack(const struct reduced_linear *layer, const float *const *weights, const float *factors)
{
    const size_t row_bytes = packed_row_bytes(layer->inputs);
    char *values = calloc(PACKED_TOGETHER, row_bytes);
    float *rotated = malloc(ROTATED_ROWS * layer->inputs * sizeof *rotated);
    for (size_t o = 0, some; values && rotated && o < layer->outputs; o += some) {
        some = layer->outputs - o < PACKED_TOGETHER ? layer->outputs - o : PACKED_TOGETHER;
        for (size_t i = 0; i < some; i++)
            pack_output(layer, o + i, weights[o + i], factors, rotated, (void *)(values + i * row_bytes));
        memset(values + some * row_bytes, 0, (PACKED_TOGETHER - some) * row_bytes);
        place_outputs(layer, o, values);
    }
    const int result = values && rotated ? 0 : -1;
    free(values);
    free(rotated);
    return result;
}

#define REDUCED_TABLE \
    .panel = TWOS * PANEL, .rows = TWOS * ROWS, .tile_rows = TILED, .group = GROUP, .operand_row_bytes = operand_row_bytes, .operand_room = operand_room, .weight_bytes = weight_bytes, .pack = pack, \
    .linear = linear, .linear_gelu = linear_gelu, .convert = convert, .layer_norm = layer_norm, .rotation_factors = rotation_factors, .parts = PARTS
