/* The one source of the kernels. A file kernels_<set>.c defines, then includes this:
 *   KERNELS_NAME  as a token, the name by which these kernels are chosen; KERNELS_SET: the instruction set's, as a text
 *   LANES         floats in a vector register
 *   ROWS, WIDTH   the tile of attention's products kept in registers: ROWS rows of WIDTH vectors (ROWS at most 14)
 *   LINEAR_ROWS, LINEAR_WIDTH   that of linear layers, where it is another: of no more rows, and no fewer vectors
 *   PAIRED        where products are made by pairs (paired_product.h), and both tiles are one
 *   vector_larger(a, b), vector_sum(a), vector_largest(a): lanewise maximum; a vector's sum and maximum as a float
 *   floats_of_halves(h)   LANES f16 as floats, where there is an instruction
 *   vector_low_pairs(a, b), vector_high_pairs(a, b): a0 b0 a1 b1 … of the lower halves, of the upper ones
 * Vectors are those of the compiler (GCC and clang), so arithmetic is written once. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

#ifndef LINEAR_ROWS
#define LINEAR_ROWS ROWS
#define LINEAR_WIDTH WIDTH
#endif
#define PANEL (WIDTH * LANES)
#define LINEAR_PANEL (LINEAR_WIDTH * LANES)
#include "vectors.h"
#include "layer_norm.h"
#include "f32_functions.h"
#include "product.h"
#ifdef PAIRED
#include "paired_product.h"
#endif
#include "stored_weights.h"

/* ---- linear layers ---- */

static __attribute__((noinline)) void gelu_tile(size_t rows, size_t columns, float *c, size_t c_stride)
{
    for (size_t i = 0; i < rows; i++, c += c_stride) {
        size_t j = 0;
        for (; j + LANES <= columns; j += LANES)
            store(c + j, gelu(load(c + j)));
        if (j < columns)
            store_some(c + j, gelu(load_some(c + j, columns - j)), columns - j);
    }
}

static void pack(const struct linear *layer, const float *weights, size_t stride, size_t first, size_t outputs)
{
    enum { STEP = PACKED_AT_ONCE, AT_ONCE = 4 * LINEAR_PANEL }; /* so few inputs at a time that the part of a panel being filled stays in the first-level cache, and so few outputs that they stay in the second */
    float scales[AT_ONCE];
    for (size_t from = 0; from < outputs; from += AT_ONCE) {
        const size_t some = outputs - from < AT_ONCE ? outputs - from : AT_ONCE;
        for (size_t o = 0; o < some; o++)
            scales[o] = note_output(layer, weights + (from + o) * stride, first + from + o);
        for (size_t begin = 0; begin < layer->inputs; begin += STEP)
            for (size_t o = 0; o < some; o++) {
                const size_t output = first + from + o, end = begin + STEP < layer->inputs ? begin + STEP : layer->inputs;
                const size_t column = output / LINEAR_PANEL * LINEAR_PANEL * layer->inputs + output % LINEAR_PANEL;
                store_weights(layer, column + begin * LINEAR_PANEL, LINEAR_PANEL, weights + (from + o) * stride + begin, end - begin, scales[o]);
            }
    }
}

/* `sums` [rows]: as row_sums noted them of x. */
static void linear_rows(const struct linear *layer, enum linear_then then, size_t rows, const float *x, size_t x_stride, const float *sums, float *y, size_t y_stride)
{
    const size_t panel_bytes = layer->inputs * LINEAR_PANEL * stored_size(layer->stored), tiles = tiles_of(rows, LINEAR_ROWS);
    const size_t share = panel_bytes / tiles; /* each tile fetches its share of the next panel */
    for (size_t j = 0; j < layer->outputs; j += LINEAR_PANEL) {
        const float *panel = panel_of(layer, j);
        struct ahead ahead = {(const char *)layer->weights + (j / LINEAR_PANEL + 1) * panel_bytes, ahead_step(share, layer->inputs)};
        struct finish finish = {.bias = layer->bias + j, .add = then == LINEAR_ADD, .column_sums = layer->pair_sums + j, .unscale = layer->unscale + j};
        size_t columns = layer->outputs - j < LINEAR_PANEL ? layer->outputs - j : LINEAR_PANEL;
        for (size_t t = 0; t < tiles; t++) {
            const size_t i = rows * t / tiles, some = rows * (t + 1) / tiles - i;
            float *c = y + i * y_stride + j;
            finish.row_sums = sums + i;
            linear_tile(some, layer->inputs, x + i * x_stride, x_stride, panel, ahead, &finish, c, y_stride, columns);
            ahead.at += share;
            if (then == LINEAR_GELU)
                gelu_tile(some, columns, c, y_stride);
        }
    }
}

static void linear(const struct linear *layer, enum linear_then then, size_t rows, const float *x, size_t x_stride, float *y, size_t y_stride)
{
    enum { AT_ONCE = 1024 };
    float sums[AT_ONCE] = {0};
    for (size_t i = 0; i < rows; i += AT_ONCE) {
        const size_t some = rows - i < AT_ONCE ? rows - i : AT_ONCE;
        row_sums(some, layer->inputs, x + i * x_stride, x_stride, sums);
        linear_rows(layer, then, some, x + i * x_stride, x_stride, sums, y + i * y_stride, y_stride);
    }
}

/* ---- attention ---- */

/* 2^x for x <= 0; 2^-120 below -120. */
INLINE vector exponential(vector x)
{
    return power_of_two(vector_larger(x, all(-120)));
}

/* The largest of a row's `columns` scores, one for each lane. Behind them, up to a whole vector, stand zeros, to which `hide` is added to keep them out. */
INLINE vector largest_scores(const float *row, size_t columns, vector hide)
{
    const size_t last = (columns - 1) / LANES * LANES;
    vector most = load(row + last) + hide;
    for (size_t j = 0; j < last; j += LANES)
        most = vector_larger(most, load(row + j));
    return most;
}

/* Turns a row of scores into exp((score - largest) * scale); sums of them are returned. */
INLINE vector exponentials(float *row, size_t columns, vector hide, float largest, float scale)
{
    const size_t last = (columns - 1) / LANES * LANES;
    const vector factor = all(scale * 1.44269504f), offset = all(largest) * factor;
    vector sum = exponential((load(row + last) + hide) * factor - offset);
    store(row + last, sum);
    for (size_t j = 0; j < last; j += LANES) {
        vector e = exponential(load(row + j) * factor - offset);
        store(row + j, e);
        sum += e;
    }
    return sum;
}

/* row = row * scale + bias */
INLINE void add_bias(float *row, size_t columns, float scale, const float *bias)
{
    size_t j = 0;
    for (; j + LANES <= columns; j += LANES)
        store(row + j, load(row + j) * all(scale) + load(bias + j));
    if (j < columns)
        store(row + j, load(row + j) * all(scale) + load_some(bias + j, columns - j));
}

/* softmax, but for the division: scores [rows, columns] become exponentials, shares [rows] one by their sums. `bias`, unless NULL, is that of the first row;
 * each row's begins one place before that of the row above it. In steps over all rows, because each waits long for its result. */
static void soften(size_t rows, size_t columns, float *scores, size_t stride, float scale, const float *bias, float shares[ROWS])
{
    float hidden[LANES] = {0}, most[ROWS];
    vector part[ROWS];
    for (size_t j = (columns - 1) % LANES + 1; j < LANES; j++)
        hidden[j] = -FLT_MAX / 4;
    const vector hide = load(hidden);
    for (size_t r = 0; bias && r < rows; r++)
        add_bias(scores + r * stride, columns, scale, bias - r);
    for (size_t r = 0; r < rows; r++)
        part[r] = largest_scores(scores + r * stride, columns, hide);
    for (size_t r = 0; r < rows; r++)
        most[r] = vector_largest(part[r]);
    for (size_t r = 0; r < rows; r++)
        part[r] = exponentials(scores + r * stride, columns, hide, most[r], bias ? 1 : scale);
    for (size_t r = 0; r < rows; r++)
        shares[r] = 1 / vector_sum(part[r]);
}

static size_t whole_panels(size_t columns)
{
    return (columns + PANEL - 1) / PANEL * PANEL;
}

static size_t attention_scratch(size_t tokens, size_t head_size)
{
    return whole_panels(tokens) * (head_size + 1) + whole_panels(head_size) * (tokens + 1) + ROWS * whole_panels(tokens);
}

/* Rows and columns change places: each round puts row i and row i + LANES / 2 into two, number by number in turn. */
INLINE void transpose(vector rows[LANES])
{
    UNROLL for (size_t round = 1; round < LANES; round *= 2) {
        vector next[LANES];
        UNROLL for (size_t i = 0; i < LANES / 2; i++) {
            next[2 * i] = vector_low_pairs(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = vector_high_pairs(rows[i], rows[i + LANES / 2]);
        }
        UNROLL for (size_t i = 0; i < LANES; i++)
            rows[i] = next[i];
    }
}

/* keys [tokens, head_size], times `scale`, to panels [tokens / PANEL, head_size, PANEL]; the last one filled up with zeros. */
static void pack_keys(size_t tokens, size_t head_size, const float *keys, size_t stride, float scale, float *packed)
{
    for (size_t t = 0; t < whole_panels(tokens); t += LANES)
        for (size_t p = 0; p < head_size; p += LANES) {
            const size_t some = head_size - p < LANES ? head_size - p : LANES;
            vector rows[LANES];
            UNROLL for (size_t i = 0; i < LANES; i++)
                rows[i] = t + i >= tokens ? all(0) : some == LANES ? load(keys + (t + i) * stride + p) : load_some(keys + (t + i) * stride + p, some);
            transpose(rows);
            float *at = packed + t / PANEL * PANEL * head_size + p * PANEL + t % PANEL;
            UNROLL for (size_t i = 0; i < LANES; i++)
                if (i < some)
                    store(at + i * PANEL, rows[i] * all(scale));
        }
}

/* values [tokens, head_size], times `scale`, to panels [head_size / PANEL, tokens, PANEL]; the last one filled up with zeros. */
static void pack_values(size_t tokens, size_t head_size, const float *values, size_t stride, float scale, float *packed)
{
    for (size_t h = 0; h < head_size; h += PANEL, packed += tokens * PANEL) {
        size_t some = head_size - h < PANEL ? head_size - h : PANEL;
        for (size_t t = 0; t < tokens; t++)
            for (size_t j = 0; j < PANEL; j += LANES) {
                size_t left = j < some ? some - j : 0;
                const float *from = values + t * stride + h + j;
                store(packed + t * PANEL + j, (left >= LANES ? load(from) : load_some(from, left)) * all(scale));
            }
    }
}

/* One head: context = softmax(queries keys^T / sqrt(head_size) + bias) values; `queries` begin with the first one whose context is wanted, `bias` with
 * what stands for it and the first key. */
static void attention_head(const struct attention *text, const float *queries, size_t stride, const float *bias, const struct head *head, float *scores, float *context,
                           size_t context_stride)
{
    const size_t tokens = text->tokens, head_size = text->head_size, filled = whole_panels(tokens);
    const float scale = 1 / (sqrtf((float)head_size) * head->key_scale);
    const struct ahead nothing = {(const char *)head->keys, 0};
    const size_t tiles = tiles_of(text->queries, ROWS);
    for (size_t tile = 0; tile < tiles; tile++) {
        const size_t i = text->queries * tile / tiles, some = text->queries * (tile + 1) / tiles - i;
        for (size_t t = 0; t < tokens; t += PANEL)
            head_tile(some, head_size, queries + i * stride, stride, head->keys + t * head_size, nothing, &(struct finish){.column_sums = head->key_sums + t}, scores + t, filled,
                      PANEL);
        float shares[ROWS], sums[ROWS] = {0};
        soften(some, tokens, scores, filled, scale, bias ? bias - i : NULL, shares);
        scale_shares(some, tokens, scores, filled, head, shares, sums);
        for (size_t h = 0; h < head_size; h += PANEL)
            head_tile(some, tokens, scores, filled, head->values + h * tokens, nothing,
                      &(struct finish){.factors = shares, .row_sums = sums, .column_sums = head->value_sums + h}, context + i * context_stride + h, context_stride,
                      head_size - h < PANEL ? head_size - h : PANEL);
    }
}

static void attention(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch)
{
    const size_t tokens = text->tokens, head_size = text->head_size, width = text->heads * head_size;
    struct head packed = {.keys = scratch};
    packed.values = packed.keys + whole_panels(tokens) * head_size;
    packed.key_sums = packed.values + whole_panels(head_size) * tokens;
    packed.value_sums = packed.key_sums + whole_panels(tokens);
    float *scores = packed.value_sums + whole_panels(head_size);
    for (size_t head = 0; head < text->heads; head++) {
        const float *queries = qkv + head * head_size, *keys = queries + width, *values = keys + width;
        const float *bias = text->bias ? text->bias + head * (2 * text->reach - 1) + text->reach - 1 - text->query : NULL;
        scale_head(tokens, head_size, queries, keys, values, qkv_stride, &packed);
        pack_keys(tokens, head_size, keys, qkv_stride, packed.key_scale, packed.keys);
        pack_values(tokens, head_size, values, qkv_stride, packed.value_scale, packed.values);
        panel_sums(whole_panels(tokens), head_size, packed.keys, packed.key_sums);
        panel_sums(whole_panels(head_size), tokens, packed.values, packed.value_sums);
        attention_head(text, queries + text->query * qkv_stride, qkv_stride, bias, &packed, scores, context + head * head_size, context_stride);
    }
}

/* ---- layer normalization ---- */

static void layer_norm(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, float *copy, size_t copy_stride)
{
    float factors[NORM_ROWS];
    for (size_t i = 0; i < rows; i += NORM_ROWS)
        layer_norm_rows(rows - i < NORM_ROWS ? rows - i : NORM_ROWS, width, x + i * stride, stride, gain, bias, epsilon, copy + i * copy_stride, copy_stride, factors);
}

static float layer_norm_of_sum(size_t width, const float *a, const float *b, const float *c, const float *gain, const float *bias, float epsilon, float *x)
{
    size_t j = 0;
    for (; j + LANES <= width; j += LANES) {
        vector sum = load(a + j) + load(b + j);
        store(x + j, c ? sum + load(c + j) : sum);
    }
    for (; j < width; j++)
        x[j] = c ? a[j] + b[j] + c[j] : a[j] + b[j];
    float factor;
    layer_norm_rows(1, width, x, 0, gain, bias, epsilon, x, 0, &factor);
    return factor;
}

static void scaled_sum(size_t width, const float *a, const float *b, float factor, const float *c, float *y)
{
    size_t j = 0;
    for (; j + LANES <= width; j += LANES)
        store(y + j, (load(a + j) + load(b + j)) * all(factor) + load(c + j));
    for (; j < width; j++)
        y[j] = (a[j] + b[j]) * factor + c[j];
}

#define TEXT_OF(name) #name
#define KERNELS_OBJECT_(name) kernels_##name
#define KERNELS_OBJECT(name) KERNELS_OBJECT_(name)
#define KERNELS_TEXT(name) TEXT_OF(name)
extern const struct kernels KERNELS_OBJECT(KERNELS_NAME);
const struct kernels KERNELS_OBJECT(KERNELS_NAME) = {
    .name = KERNELS_TEXT(KERNELS_NAME), .set = KERNELS_SET, .panel = LINEAR_PANEL, .pack = pack, .linear = linear, .attention = attention,
    .attention_scratch = attention_scratch, .layer_norm = layer_norm, .layer_norm_of_sum = layer_norm_of_sum, .scaled_sum = scaled_sum,
};
