/* The one source of the products in reduced precision. A file reduced_<precision>_<set>.c defines, then includes this:
 *   BF16, INT16 or INT8   what values are
 *   GROUP         inputs that one lane takes at a time: 4 of int8, 2 of the others
 *   PAIRED        where products are made by pairs (see multiply_pairs): int16 alone
 *   LANES, ROWS, WIDTH, vector, integers   as kernels_source.h has them
 *   sums, dot(sum, x, weights)             a vector of sums; one instruction's multiply-adds, x in every lane the same group
 *   fused(a, b, c)                         a * b + c, rounded once
 *   to_floats(sums), vector_larger(a, b), vector_sum(a), vector_largest(a)
 *   added(x, weights), integers_sum(v)     PAIRED: their sum, value by value; a vector's sum, modulo 2^32
 *   store_values(at, v)                    LANES values of an operand: bf16 from floats, or integers from such held in floats
 *   swap_halves(v), swap_quarters(v)       int8: a vector's halves change places; the quarters in each half do */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reduced.h"

#define PANEL (WIDTH * LANES)
#define STEP_BYTES 4 /* of a group */
#define VALUE_BYTES (STEP_BYTES / GROUP)
#include "vectors.h"
#include "layer_norm.h"

INLINE void store_some_values(char *at, vector v, size_t count)
{
    char values[LANES * VALUE_BYTES];
    store_values(values, v);
    memcpy(at, values, count * VALUE_BYTES);
}

/* gelu(x) = x Phi(x), with an error of 3.4e-5: a hundredth of what the rounding behind it costs. Phi(u) = 1/2 + u P(u^2), P a minimax fit on |u| <= 4.5. */
INLINE vector gelu(vector x)
{
    static const float coefficients[] = {0.15690212f, -0.077171914f, 0.054818507f, -0.040556382f, 0.02763006f, -0.016742198f, 0.012206629f, -0.0093300417f, 0.0033552085f};
    const vector held = vector_larger(x, all(-4.5f)), u = -vector_larger(-held, all(-4.5f));
    const vector t = fused(u * u, all(2 / (4.5f * 4.5f)), all(-1));
    vector polynomial = all(coefficients[8]);
    UNROLL for (int i = 7; i >= 0; i--)
        polynomial = fused(polynomial, t, all(coefficients[i]));
    return held * fused(u, polynomial, all(0.5f));
}

/* ---- matrix product: register tiles over packed panels, as in kernels_source.h ---- */

#ifdef PAIRED
#define AT_A_TIME 3 /* steps over groups */
#else
#define AT_A_TIME 4
#endif
struct ahead { const char *at; size_t step; }; /* what is fetched into the second-level cache meanwhile: `step` bytes further every AT_A_TIME steps */

/* x: the group at `p` of row i. */
INLINE integers every_lane(const char *const *third, size_t stride, size_t i, size_t p)
{
    int32_t x;
    memcpy(&x, third[i / 3] + i % 3 * stride + p * STEP_BYTES, sizeof x);
    return x - (integers){0};
}

INLINE void load_panel(const char *b, size_t p, sums panel[WIDTH])
{
    UNROLL for (size_t j = 0; j < WIDTH; j++)
        memcpy(&panel[j], b + (p * WIDTH + j) * sizeof panel[j], sizeof panel[j]);
}

INLINE void multiply_step(const size_t rows, const char *const *third, size_t stride, size_t p, const char *b, sums tile[ROWS][WIDTH])
{
    sums panel[WIDTH];
    load_panel(b, p, panel);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const integers every = every_lane(third, stride, i, p);
        UNROLL for (size_t j = 0; j < WIDTH; j++)
            tile[i][j] = dot(tile[i][j], every, panel[j]);
    }
}

#ifdef PAIRED
/* Where a processor adds beside its multipliers: of three groups, two are multiplied as a pair, one as usual, as paired_product.h explains,
 *   x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1,
 * here with x0, x1, w0, w1 groups. Integers lose nothing by it: sums pass 2^31 on the way and come back. */
INLINE void multiply_pairs(const size_t rows, const char *const *third, size_t stride, size_t p, const char *b, sums tile[ROWS][WIDTH])
{
    sums first[WIDTH], second[WIDTH], single[WIDTH];
    load_panel(b, p, first);
    load_panel(b, p + 1, second);
    load_panel(b, p + 2, single);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const integers x0 = every_lane(third, stride, i, p), x1 = every_lane(third, stride, i, p + 1), x2 = every_lane(third, stride, i, p + 2);
        UNROLL for (size_t j = 0; j < WIDTH; j++) {
            tile[i][j] = dot(tile[i][j], added(x0, second[j]), added(x1, first[j]));
            tile[i][j] = dot(tile[i][j], x2, single[j]);
        }
    }
}
#endif

INLINE void multiply(const size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, sums tile[ROWS][WIDTH])
{
    const char *third[(ROWS + 2) / 3];
    UNROLL for (size_t i = 0; i < rows; i += 3) {
        third[i / 3] = a + i * stride;
        __asm__("" : "+r"(third[i / 3])); /* or the compiler derives one register a row from it again */
    }
    size_t p = 0;
    for (; p + AT_A_TIME <= steps; p += AT_A_TIME) {
        __builtin_prefetch(ahead.at, 0, 2);
        ahead.at += ahead.step;
#ifdef PAIRED
        multiply_pairs(rows, third, stride, p, b, tile);
#else
        UNROLL for (size_t q = 0; q < AT_A_TIME; q++)
            multiply_step(rows, third, stride, p + q, b, tile);
#endif
    }
    for (; p < steps; p++)
        multiply_step(rows, third, stride, p, b, tile);
}

/* What becomes of a tile. */
enum tile_then { TILE_STORE, TILE_ADD, TILE_SCALE, TILE_GELU, TILE_GELU_VALUES };
struct finish {
    enum tile_then then;
    const float *bias, *weight_scale, *weight_sums; /* of the panel; bias NULL: none */
    const float *scale, *zero;                      /* of the rows: where values are integers, and TILE_SCALE multiplies each with its own */
    const int32_t *row_pairs, *column_pairs;        /* PAIRED: pair sums of the rows, and of the panel */
    float *y;
    char *values; /* of TILE_GELU_VALUES */
    size_t y_stride, values_stride, columns;
};

/* The layer's result for row i, columns j * LANES on. */
INLINE vector result(const struct finish *finish, size_t i, size_t j, sums sum)
{
#ifdef INT8
    const vector beside = fused(all(finish->zero[i]), load(finish->weight_sums + j * LANES), load(finish->bias + j * LANES));
    return fused(to_floats(sum) * load(finish->weight_scale + j * LANES), all(finish->scale[i]), beside);
#elif defined INT16
    return fused(to_floats(sum) * load(finish->weight_scale + j * LANES), all(finish->scale[i]), load(finish->bias + j * LANES));
#else
    (void)finish, (void)i, (void)j;
    return to_floats(sum); /* which began with the bias */
#endif
}

INLINE void finish_vector(const struct finish *finish, size_t i, size_t j, vector v)
{
    const size_t column = j * LANES, left = finish->columns > column ? finish->columns - column : 0, count = left < LANES ? left : LANES;
    if (finish->then == TILE_GELU_VALUES) {
        char *at = finish->values + i * finish->values_stride + column * VALUE_BYTES;
        if (count == LANES)
            store_values(at, gelu(v));
        else
            store_some_values(at, gelu(v), count);
        return;
    }
    float *at = finish->y + i * finish->y_stride + column;
    if (finish->then == TILE_GELU)
        v = gelu(v);
    if (finish->then == TILE_SCALE)
        v *= all(finish->scale[i]);
    if (count == LANES)
        store(at, finish->then == TILE_ADD ? load(at) + v : v);
    else
        store_some(at, finish->then == TILE_ADD ? load_some(at, count) + v : v, count);
}

INLINE void product_rows(const size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, const struct finish *finish)
{
    sums tile[ROWS][WIDTH];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < WIDTH; j++) {
            tile[i][j] = (sums){0};
#ifdef PAIRED
            memcpy(&tile[i][j], finish->column_pairs + j * LANES, sizeof tile[i][j]);
            tile[i][j] = -tile[i][j] - finish->row_pairs[i];
#elif defined BF16
            if (finish->bias)
                memcpy(&tile[i][j], finish->bias + j * LANES, sizeof tile[i][j]);
#endif
        }
    multiply(rows, steps, a, stride, b, ahead, tile);
    if (finish->columns == PANEL) { /* the same, with what is known at compile time */
        struct finish whole = *finish;
        whole.columns = PANEL;
#define EACH(what) \
    case what: \
        whole.then = what; \
        UNROLL for (size_t i = 0; i < rows; i++) \
            UNROLL for (size_t j = 0; j < WIDTH; j++) \
                finish_vector(&whole, i, j, result(&whole, i, j, tile[i][j])); \
        break;
        switch (finish->then) {
            EACH(TILE_STORE) EACH(TILE_ADD) EACH(TILE_SCALE) EACH(TILE_GELU) EACH(TILE_GELU_VALUES)
        }
#undef EACH
        return;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < WIDTH; j++)
            finish_vector(finish, i, j, result(finish, i, j, tile[i][j]));
}

static __attribute__((noinline)) void product_tile(size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, const struct finish *finish)
{
#define CASE(n) \
    case n: \
        if (n <= ROWS) \
            product_rows(n <= ROWS ? n : ROWS, steps, a, stride, b, ahead, finish); \
        break;
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
    default: break;
    }
#undef CASE
}

/* ---- linear layers ---- */

static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride,
                       const struct operand *values)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP, panel_bytes = steps * PANEL * STEP_BYTES, tiles = (rows + ROWS - 1) / ROWS;
    const size_t share = panel_bytes / tiles; /* each tile fetches its share of the next panel */
    for (size_t j = 0; j < layer->outputs; j += PANEL) {
        const char *panel = (const char *)layer->weights + j / PANEL * panel_bytes;
        struct ahead ahead = {panel + panel_bytes, AT_A_TIME * share / steps};
        struct finish finish = {.then = then, .bias = layer->bias + j, .weight_scale = layer->scale + j, .weight_sums = layer->sums + j,
                                .column_pairs = layer->pair_sums + j, .y_stride = y_stride, .columns = layer->outputs - j < PANEL ? layer->outputs - j : PANEL};
        for (size_t i = 0; i < rows; i += ROWS) {
            finish.scale = x->scale + i;
            finish.zero = x->zero + i;
            finish.row_pairs = x->pair_sums + i;
            if (values) {
                finish.values = (char *)values->values + i * values->stride + j * VALUE_BYTES;
                finish.values_stride = values->stride;
            } else {
                finish.y = y + i * y_stride + j;
            }
            product_tile(rows - i < ROWS ? rows - i : ROWS, steps, (const char *)x->values + i * x->stride, x->stride, panel, ahead, &finish);
            ahead.at += share;
        }
    }
}

static void linear(const struct reduced_linear *layer, enum linear_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    run_linear(layer, then == LINEAR_ADD ? TILE_ADD : TILE_STORE, rows, x, y, y_stride, NULL);
}

/* ---- from f32 to operands ---- */

#ifdef INT8
/* Rounding to few steps is poor where single numbers of a row are much larger than the others, and some are in every encoder. So activations and weights
 * both go through the same rotation, which spreads each number over 32 (16) and leaves their products as they were: a Hadamard transform of up to eight
 * vectors, lane by lane, and in the lanes of the halves and quarters of each (Ashkboos et al. 2024, arXiv 2404.00456). */
INLINE void rotate_vectors(const size_t count, const float *x, float *rotated)
{
    static const float unit[] = {[1] = 0.5f, [2] = 0.35355339f, [4] = 0.25f, [8] = 0.17677670f}; /* 1 / sqrt(4 count) */
    vector v[8], halves, quarters;
    for (size_t l = 0; l < LANES; l++) {
        halves[l] = l < LANES / 2 ? 1 : -1;
        quarters[l] = l % (LANES / 2) < LANES / 4 ? 1 : -1;
    }
    UNROLL for (size_t i = 0; i < count; i++)
        v[i] = load(x + i * LANES) * all(unit[count]);
    UNROLL for (size_t step = 1; step < count; step *= 2)
        UNROLL for (size_t i = 0; i < count; i++)
            if (!(i & step)) {
                const vector sum = v[i] + v[i + step];
                v[i + step] = v[i] - v[i + step];
                v[i] = sum;
            }
    UNROLL for (size_t i = 0; i < count; i++) {
        const vector once = fused(v[i], halves, swap_halves(v[i]));
        store(rotated + i * LANES, fused(once, quarters, swap_quarters(once)));
    }
}

static void rotate(size_t width, const float *x, float *rotated)
{
    size_t j = 0;
    for (; j + 8 * LANES <= width; j += 8 * LANES)
        rotate_vectors(8, x + j, rotated + j);
    if (j + 4 * LANES <= width)
        rotate_vectors(4, x + j, rotated + j), j += 4 * LANES;
    if (j + 2 * LANES <= width)
        rotate_vectors(2, x + j, rotated + j), j += 2 * LANES;
    if (j + LANES <= width)
        rotate_vectors(1, x + j, rotated + j), j += LANES;
    memcpy(rotated + j, x + j, (width - j) * sizeof *x);
}

/* A row's values from its smallest and largest number. Zero lies between them, so that a row that is all but constant keeps its precision. */
INLINE void convert_row(size_t width, const float *x, float least, float most, const struct operand *into, size_t row)
{
    const float scale = most > least ? (most - least) / 255 : 1, shift = nearbyintf(-least / scale), factor = 1 / scale;
    char *values = (char *)into->values + row * into->stride;
    size_t j = 0;
    into->scale[row] = scale;
    into->zero[row] = -shift * scale;
    for (; j + LANES <= width; j += LANES)
        store_values(values + j, fused(load(x + j), all(factor), all(shift)));
    if (j < width)
        store_some_values(values + j, fused(load_some(x + j, width - j), all(factor), all(shift)), width - j);
}

static void convert_rows(size_t first, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    for (size_t i = first; i < end; i++) {
        vector less = all(0), more = all(0);
        float *row = into->row;
        size_t j = 0;
        rotate(width, x + i * stride, row);
        for (; j + LANES <= width; j += LANES) {
            less = vector_larger(less, -load(row + j));
            more = vector_larger(more, load(row + j));
        }
        if (j < width) {
            less = vector_larger(less, -load_some(row + j, width - j));
            more = vector_larger(more, load_some(row + j, width - j));
        }
        convert_row(width, row, -vector_largest(less), vector_largest(more), into, i);
    }
}
#elif defined INT16
#ifdef PAIRED
/* The sum over whole triples of groups of the products of the first two, modulo 2^32. */
static int32_t pair_sum(size_t steps, const char *values)
{
    static const int32_t thirds[LANES + 2] = {[0] = -1, [3] = -1, [6] = -1, [9] = -1, [12] = -1, [15] = -1};
    integers sum = {0}, here, next, wanted;
    size_t p = 0;
    for (; p + LANES < steps / AT_A_TIME * AT_A_TIME; p += LANES) {
        memcpy(&here, values + p * STEP_BYTES, sizeof here);
        memcpy(&next, values + (p + 1) * STEP_BYTES, sizeof next);
        memcpy(&wanted, thirds + p % AT_A_TIME, sizeof wanted);
        sum = dot(sum, here & wanted, next);
    }
    uint32_t rest = 0;
    for (p = (p + AT_A_TIME - 1) / AT_A_TIME * AT_A_TIME; p + AT_A_TIME <= steps; p += AT_A_TIME) {
        int16_t v[2 * GROUP];
        memcpy(v, values + p * STEP_BYTES, sizeof v);
        for (size_t i = 0; i < GROUP; i++)
            rest += (uint32_t)(v[i] * v[GROUP + i]);
    }
    return (int32_t)(rest + (uint32_t)integers_sum(sum));
}

#else
static int32_t pair_sum(size_t steps, const char *values)
{
    (void)steps, (void)values;
    return 0;
}
#endif

/* The largest size of a row's numbers, and the sum of their squares. In several chains, because one alone would wait for every one. */
INLINE void measure_row(size_t width, const float *x, float *largest, float *squares)
{
    enum { CHAINS = 4 };
    vector most[CHAINS] = {{0}}, sum[CHAINS] = {{0}};
    for (size_t j = 0; j < width; j += CHAINS * LANES)
        UNROLL for (size_t i = 0; i < CHAINS; i++) {
            const size_t at = j + i * LANES, left = width > at ? width - at : 0;
            const vector v = left >= LANES ? load(x + at) : load_some(x + at, left);
            most[i] = vector_larger(most[i], (vector)((integers)v & INT32_MAX));
            sum[i] = fused(v, v, sum[i]);
        }
    *largest = vector_largest(vector_larger(vector_larger(most[0], most[1]), vector_larger(most[2], most[3])));
    *squares = vector_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* A row to whole numbers of at most MOST whose vector is at most LENGTH long. Two such of one row have a sum of at most 2^15, so a pair's sums fit; and the product of two
 * rows is less than 2^31 (Cauchy and Schwarz), whatever is rounded: a row of a million numbers becomes 500 longer by that. */
static void convert_row(size_t width, const float *x, const struct operand *into, size_t row)
{
    static const float MOST = 16383, LENGTH = 45800;
    char *values = (char *)into->values + row * into->stride;
    float largest, squares;
    measure_row(width, x, &largest, &squares);
    const float scale = largest > 0 ? fmaxf(largest / MOST, sqrtf(squares) / LENGTH) : 1, factor = 1 / scale;
    size_t j = 0;
    for (; j + LANES <= width; j += LANES)
        store_values(values + j * VALUE_BYTES, load(x + j) * all(factor));
    if (j < width)
        store_some_values(values + j * VALUE_BYTES, load_some(x + j, width - j) * all(factor), width - j);
    into->scale[row] = scale;
    into->pair_sums[row] = pair_sum((width + GROUP - 1) / GROUP, values);
}
#else
static void convert_row(size_t width, const float *x, const struct operand *into, size_t row)
{
    char *values = (char *)into->values + row * into->stride;
    size_t j = 0;
    for (; j + LANES <= width; j += LANES)
        store_values(values + j * VALUE_BYTES, load(x + j));
    if (j < width)
        store_some_values(values + j * VALUE_BYTES, load_some(x + j, width - j), width - j);
}
#endif

#ifndef INT8
static void convert_rows(size_t first, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    for (size_t i = first; i < end; i++)
        convert_row(width, x + i * stride, into, i);
}
#endif

static void convert(size_t rows, size_t width, const float *x, size_t stride, const struct operand *into)
{
    convert_rows(0, rows, width, x, stride, into);
}

static void linear_gelu(const struct reduced_linear *layer, size_t rows, const struct operand *x, float *scratch, size_t scratch_stride, const struct operand *y)
{
#ifndef BF16
    run_linear(layer, TILE_GELU, rows, x, scratch, scratch_stride, NULL);
    convert(rows, layer->outputs, scratch, scratch_stride, y);
#else
    (void)scratch, (void)scratch_stride;
    run_linear(layer, TILE_GELU_VALUES, rows, x, NULL, 0, y);
#endif
}

static void layer_norm(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, const struct operand *into)
{
    for (size_t i = 0; i < rows; i++) {
        layer_norm_row(width, x + i * stride, gain, bias, epsilon, x + i * stride);
        convert_rows(i, i + 1, width, x, stride, into);
    }
}

/* ---- packing ---- */

/* Places an output's inputs, as the groups of a row, into its panel. */
static void place_groups(const struct reduced_linear *layer, size_t output, const char *row)
{
    const size_t steps = (layer->inputs + GROUP - 1) / GROUP;
    char *column = (char *)layer->weights + (output / PANEL * PANEL * steps + output % PANEL) * STEP_BYTES;
    for (size_t p = 0; p < steps; p++)
        memcpy(column + p * PANEL * STEP_BYTES, row + p * STEP_BYTES, STEP_BYTES);
}

#ifdef INT8
static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, float *rotated, int8_t *row)
{
    float most = 0;
    int32_t sum = 0;
    rotate(layer->inputs, weights, rotated);
    for (size_t p = 0; p < layer->inputs; p++)
        most = fabsf(rotated[p]) > most ? fabsf(rotated[p]) : most;
    const float unit = most > 0 ? most / 127 : 1, factor = 1 / unit;
    for (size_t p = 0; p < layer->inputs; p++) {
        row[p] = (int8_t)(int32_t)nearbyintf(rotated[p] * factor);
        sum += row[p];
    }
    layer->scale[output] = unit;
    layer->sums[output] = unit * (float)sum;
}
#else
static void pack_output(const struct reduced_linear *layer, size_t output, const float *weights, float *rotated, char *row)
{
    (void)rotated;
    convert_row(layer->inputs, weights, &(struct operand){.values = row, .scale = layer->scale + output, .pair_sums = layer->pair_sums + output}, 0);
}
#endif

static int pack(const struct reduced_linear *layer, const float *weights, size_t first, size_t outputs)
{
    void *row = calloc((layer->inputs + GROUP - 1) / GROUP, STEP_BYTES); /* [inputs], filled up with zeros */
    float *rotated = malloc(layer->inputs * sizeof *rotated);
    for (size_t o = 0; row && rotated && o < outputs; o++) {
        pack_output(layer, first + o, weights + o * layer->inputs, rotated, row);
        place_groups(layer, first + o, row);
    }
    const int result = row && rotated ? 0 : -1;
    free(row);
    free(rotated);
    return result;
}

#define REDUCED_TABLE \
    .panel = PANEL, .rows = ROWS, .group = GROUP, .value_bytes = VALUE_BYTES, .pack = pack, .linear = linear, .linear_gelu = linear_gelu, .convert = convert, \
    .layer_norm = layer_norm
