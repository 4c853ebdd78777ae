/* Compares every kernel of every instruction set of this machine with a plain reference in double precision, over random ragged shapes, and checks that a
 * row's bits depend on that row alone. Prints the largest error of each; exits with 1 if one is too large. */
#include "../kernels/cpu/kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_values.h"

static int failures;

static float *make(size_t count, double size)
{
    float *values = aligned_alloc(64, (count * sizeof *values + 127) / 64 * 64);
    if (!values)
        exit(2);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(size * uniform());
    return values;
}

static void report(const struct kernels *kernels, const char *what, double error, double allowed)
{
    const int bad = !(error <= allowed);
    failures += bad;
    printf("%-13s %-34s largest error %.2e, allowed %.0e%s\n", kernels->name, what, error, allowed, bad ? "  TOO LARGE" : "");
}

static double larger(double a, double b)
{
    return isnan(b) || b > a ? b : a;
}

/* ---- linear ---- */

struct layer { struct linear packed; float *weights, *bias; };

static struct layer make_layer(const struct kernels *kernels, size_t inputs, size_t outputs)
{
    const size_t wide = (outputs + kernels->panel - 1) / kernels->panel * kernels->panel;
    struct linear packed = {.inputs = inputs, .outputs = outputs, .weights = make(wide * inputs, 0), .bias = make(wide, 0), .unscale = make(wide, 0), .pair_sums = make(wide, 0)};
    struct layer layer = {packed, make(inputs * outputs, 1), make(outputs, 1)};
    const size_t cut = outputs / 3; /* in two parts, as queries, keys and values are */
    kernels->pack(&layer.packed, layer.weights, inputs, 0, cut);
    kernels->pack(&layer.packed, layer.weights + cut * inputs, inputs, cut, outputs - cut);
    memcpy(layer.packed.bias, layer.bias, outputs * sizeof *layer.bias);
    return layer;
}

static void free_layer(struct layer *layer)
{
    free(layer->packed.weights);
    free(layer->packed.bias);
    free(layer->packed.unscale);
    free(layer->packed.pair_sums);
    free(layer->weights);
    free(layer->bias);
}

static double reference_output(const struct layer *layer, enum linear_then then, const float *x, size_t output, float before)
{
    double sum = (double)layer->bias[output];
    for (size_t p = 0; p < layer->packed.inputs; p++)
        sum += (double)x[p] * (double)layer->weights[output * layer->packed.inputs + p];
    if (then == LINEAR_GELU)
        return sum * 0.5 * erfc(-sum / sqrt(2));
    return then == LINEAR_ADD ? sum + (double)before : sum;
}

static double check_linear_shape(const struct kernels *kernels, enum linear_then then, size_t rows, size_t inputs, size_t outputs, int *same_bits)
{
    struct layer layer = make_layer(kernels, inputs, outputs);
    const size_t x_stride = inputs + pick(0, 20), y_stride = outputs + pick(0, 20);
    float *x = make(rows * x_stride, 1), *y = make(rows * y_stride, 1), *before = make(rows * y_stride, 0), *alone = make(outputs, 0);
    double error = 0;
    memcpy(before, y, rows * y_stride * sizeof *y);
    kernels->linear(&layer.packed, then, rows, x, x_stride, y, y_stride);
    for (size_t i = 0; i < rows; i++) {
        memcpy(alone, before + i * y_stride, outputs * sizeof *alone);
        kernels->linear(&layer.packed, then, 1, x + i * x_stride, x_stride, alone, y_stride);
        *same_bits &= memcmp(alone, y + i * y_stride, outputs * sizeof *alone) == 0;
        /* What lies between the rows is not ours. */
        *same_bits &= memcmp(y + i * y_stride + outputs, before + i * y_stride + outputs, (y_stride - outputs) * sizeof *y) == 0;
        for (size_t o = 0; o < outputs; o++)
            error = larger(error, fabs((double)y[i * y_stride + o] - reference_output(&layer, then, x + i * x_stride, o, before[i * y_stride + o])) /
                                      sqrt((double)inputs));
    }
    free(x), free(y), free(before), free(alone);
    free_layer(&layer);
    return error;
}

static void check_linear(const struct kernels *kernels)
{
    static const char *const names[] = {"linear", "linear, gelu", "linear, residual"};
    int same_bits = 1;
    for (int then = LINEAR_STORE; then <= LINEAR_ADD; then++) {
        double error = 0;
        for (size_t rows = 1; rows <= 45; rows++)
            error = larger(error, check_linear_shape(kernels, (enum linear_then)then, rows, pick(1, 200), pick(1, 150), &same_bits));
        error = larger(error, check_linear_shape(kernels, (enum linear_then)then, 60, 1536, 384, &same_bits));
        error = larger(error, check_linear_shape(kernels, (enum linear_then)then, 2100, 49, 33, &same_bits)); /* more rows than are noted at a time */
        /* The roundings of one chain of k sums, each below 2^-25 of a partial sum of about sqrt(k / 9), walk at random: that is 1e-8 k in all and, at the
         * worst of many elements, five times as much; over sqrt(k), as the error is given here, 2e-6 for k = 1536. A kernel that is wrong is wrong by 1e-2. */
        report(kernels, names[then], error, 1e-5);
    }
    report(kernels, "linear: bits of a row alone", !same_bits, 0);
}

/* Numbers as trained models have them: weights of a twentieth, and in both a few that are a hundred times as large as the rest. */
static void check_linear_outliers(const struct kernels *kernels)
{
    enum { ROWS_AT_ONCE = 40, INPUTS = 1000, OUTPUTS = 70 };
    double error = 0;
    for (int round = 0; round < 5; round++) {
        struct layer layer = make_layer(kernels, INPUTS, OUTPUTS);
        float *x = make(ROWS_AT_ONCE * INPUTS, 1), *y = make(ROWS_AT_ONCE * OUTPUTS, 0);
        for (size_t i = 0; i < INPUTS * OUTPUTS; i++)
            layer.weights[i] *= pick(0, 300) ? 0.05f : 5.0f;
        for (size_t p = 0; p < INPUTS; p++)
            if (!pick(0, 100))
                for (size_t i = 0; i < ROWS_AT_ONCE; i++)
                    x[i * INPUTS + p] *= 100;
        kernels->pack(&layer.packed, layer.weights, INPUTS, 0, OUTPUTS);
        kernels->linear(&layer.packed, LINEAR_STORE, ROWS_AT_ONCE, x, INPUTS, y, OUTPUTS);
        for (size_t i = 0; i < ROWS_AT_ONCE; i++)
            for (size_t o = 0; o < OUTPUTS; o++) {
                double squares = 0;
                for (size_t p = 0; p < INPUTS; p++)
                    squares += (double)x[i * INPUTS + p] * (double)x[i * INPUTS + p] * (double)layer.weights[o * INPUTS + p] * (double)layer.weights[o * INPUTS + p];
                error = larger(error, fabs((double)y[i * OUTPUTS + o] - reference_output(&layer, LINEAR_STORE, x + i * INPUTS, o, 0)) / sqrt(squares));
            }
        free(x), free(y);
        free_layer(&layer);
    }
    /* Products by pairs lose two digits more where two outliers make a pair; a kernel that is wrong is wrong by 1e-2. */
    report(kernels, "linear, with outliers", error, strcmp(kernels->name, "avx512_paired") == 0 ? 2e-3 : 5e-5);
}

/* ---- attention ---- */

/* The context of query i in one head; bias [2 * reach - 1] is that head's, or NULL. */
static void reference_attention(const struct attention *text, const float *qkv, size_t stride, const float *bias, size_t i, double *shares, double *context)
{
    const size_t tokens = text->tokens, head_size = text->head_size, width = text->heads * head_size;
    double largest = -HUGE_VAL, sum = 0;
    for (size_t t = 0; t < tokens; t++) {
        shares[t] = 0;
        for (size_t p = 0; p < head_size; p++)
            shares[t] += (double)qkv[i * stride + p] * (double)qkv[t * stride + width + p];
        shares[t] = shares[t] / sqrt((double)head_size) + (bias ? (double)bias[t + text->reach - 1 - i] : 0);
        largest = fmax(largest, shares[t]);
    }
    for (size_t t = 0; t < tokens; t++)
        sum += shares[t] = exp(shares[t] - largest);
    for (size_t p = 0; p < head_size; p++) {
        context[p] = 0;
        for (size_t t = 0; t < tokens; t++)
            context[p] += shares[t] / sum * (double)qkv[t * stride + 2 * width + p];
    }
}

/* The largest error of a text's context, in units of `size`, that of the queries, keys and values; or, where these are to lie apart,
 * of values: they and keys are `apart` times larger then, queries smaller. */
static double check_attention_text(const struct kernels *kernels, const struct attention *text, double size, float apart, int *same_bits)
{
    const size_t head_size = text->head_size, width = text->heads * head_size, stride = 3 * width + pick(0, 20), context_stride = width + pick(0, 20);
    float *qkv = make(text->tokens * stride, size), *context = make(text->queries * context_stride, 1), *again = make(width, 1);
    float *scratch = make(kernels->attention_scratch(text->tokens, head_size), 1e30);
    double *shares = calloc(text->tokens, sizeof *shares), *expected = calloc(head_size, sizeof *expected), error = 0;
    if (!shares || !expected)
        exit(2);
    for (size_t i = 0; i < text->tokens; i++)
        for (size_t p = 0; p < 3 * width; p++)
            qkv[i * stride + p] *= p < width ? 1 / apart : apart;
    kernels->attention(text, qkv, stride, context, context_stride, scratch);
    for (size_t i = 0; i < text->queries; i++)
        for (size_t head = 0; head < text->heads; head++) {
            const float *bias = text->bias ? text->bias + head * (2 * text->reach - 1) : NULL;
            reference_attention(text, qkv + head * head_size, stride, bias, text->query + i, shares, expected);
            for (size_t p = 0; p < head_size; p++)
                error = larger(error, fabs((double)context[i * context_stride + head * head_size + p] - expected[p]) / (size * apart));
        }
    for (size_t i = 0; i < text->queries; i++) { /* each query alone */
        struct attention one = *text;
        one.query += i;
        one.queries = 1;
        kernels->attention(&one, qkv, stride, again, width, scratch);
        *same_bits &= memcmp(context + i * context_stride, again, width * sizeof *again) == 0;
    }
    free(qkv), free(context), free(again), free(scratch), free(shares), free(expected);
    return error;
}

static double check_attention_shape(const struct kernels *kernels, size_t tokens, size_t heads, size_t head_size, double size, float apart, int biased, int *same_bits)
{
    struct attention text = {.tokens = tokens, .heads = heads, .head_size = head_size, .query = pick(0, tokens - 1), .reach = tokens + pick(0, 9)};
    float *bias = make(heads * (2 * text.reach - 1), 3);
    text.queries = pick(1, tokens - text.query);
    text.bias = biased ? bias : NULL;
    double error = check_attention_text(kernels, &text, size, apart, same_bits);
    free(bias);
    return error;
}

static void check_attention(const struct kernels *kernels)
{
    double error = 0, biased = 0, sharp = 0, unlike = 0;
    int same_bits = 1;
    for (size_t tokens = 1; tokens <= 70; tokens++) {
        error = larger(error, check_attention_shape(kernels, tokens, pick(1, 3), pick(1, 80), 1, 1, 0, &same_bits));
        biased = larger(biased, check_attention_shape(kernels, tokens, pick(1, 3), pick(1, 80), 1, 1, 1, &same_bits));
    }
    error = larger(error, check_attention_shape(kernels, 512, 2, 32, 1, 1, 0, &same_bits));
    for (int i = 0; i < 10; i++) /* scores of hundreds: all but a few exponentials vanish */
        sharp = larger(sharp, check_attention_shape(kernels, pick(2, 200), 1, 32, 20, 1, i % 2, &same_bits));
    for (int i = 0; i < 10; i++)
        unlike = larger(unlike, check_attention_shape(kernels, pick(2, 200), 2, 32, 1, i % 2 ? 4096 : 1.0f / 4096, 0, &same_bits));
    report(kernels, "attention", error, 2e-6);
    report(kernels, "attention, position bias", biased, 2e-6);
    report(kernels, "attention, sharp", sharp, 2e-4);
    report(kernels, "attention, keys unlike queries", unlike, 2e-6);
    report(kernels, "attention: bits of a query alone", !same_bits, 0);
}

/* ---- layer norm ---- */

static double check_layer_norm_shape(const struct kernels *kernels, size_t rows, size_t width)
{
    const size_t stride = width + pick(0, 20);
    const double epsilon = 1e-12;
    float *x = make(rows * stride, 1), *before = make(rows * stride, 0), *gain = make(width, 1), *bias = make(width, 1), *copy = make(rows * width, 0);
    double error = 0;
    for (size_t i = 0; i < rows * stride; i++)
        x[i] += 3;
    memcpy(before, x, rows * stride * sizeof *x);
    kernels->layer_norm(rows, width, x, stride, gain, bias, (float)epsilon, copy, width);
    for (size_t i = 0; i < rows; i++) {
        const float *row = before + i * stride;
        double mean = 0, variance = 0;
        for (size_t j = 0; j < width; j++)
            mean += (double)row[j] / (double)width;
        for (size_t j = 0; j < width; j++)
            variance += ((double)row[j] - mean) * ((double)row[j] - mean) / (double)width;
        if (memcmp(copy + i * width, x + i * stride, width * sizeof *copy))
            error = HUGE_VAL;
        for (size_t j = 0; j < width; j++)
            error = larger(error, fabs(((double)row[j] - mean) / sqrt(variance + epsilon) * (double)gain[j] + (double)bias[j] - (double)x[i * stride + j]));
    }
    free(x), free(before), free(gain), free(bias), free(copy);
    return error;
}

static void check_layer_norm(const struct kernels *kernels)
{
    double error = 0;
    for (size_t width = 8; width <= 400; width += pick(1, 7))
        error = larger(error, check_layer_norm_shape(kernels, pick(1, 5), width));
    report(kernels, "layer norm", error, 2e-5);
}

/* The layer norm of a sum is that of the row that it makes, to the bit, in states and factor; (a + b) * factor + c is what a double makes of it. */
static void check_sums(const struct kernels *kernels)
{
    int same_bits = 1;
    double error = 0;
    for (size_t width = 1; width <= 200; width += pick(1, 7)) {
        float *a = make(width, 1), *b = make(width, 1), *c = make(width, 1), *gain = make(width, 1), *bias = make(width, 1), *row = make(width, 0), *y = make(width, 0);
        for (int parts = 2; parts <= 3; parts++) {
            for (size_t i = 0; i < width; i++)
                row[i] = parts == 3 ? a[i] + b[i] + c[i] : a[i] + b[i];
            const double factor = (double)kernels->layer_norm_of_sum(width, a, b, parts == 3 ? c : NULL, gain, bias, 1e-12f, y);
            double mean = 0, variance = 0;
            for (size_t i = 0; i < width; i++)
                mean += (double)row[i] / (double)width;
            for (size_t i = 0; i < width; i++)
                variance += ((double)row[i] - mean) * ((double)row[i] - mean) / (double)width;
            if (width > 8)
                error = larger(error, fabs(factor * sqrt(variance + 1e-12) - 1));
            kernels->layer_norm(1, width, row, width, gain, bias, 1e-12f, row, width);
            same_bits &= memcmp(row, y, width * sizeof *y) == 0;
        }
        kernels->scaled_sum(width, a, b, 3, c, y);
        for (size_t i = 0; i < width; i++)
            error = larger(error, fabs(((double)a[i] + (double)b[i]) * 3 + (double)c[i] - (double)y[i]));
        free(a), free(b), free(c), free(gain), free(bias), free(row), free(y);
    }
    report(kernels, "layer norm of a sum: bits", !same_bits, 0);
    report(kernels, "sums of rows", error, 2e-6);
}

/* y of a layer whose weights [SIDE, SIDE] are packed in a type that they are numbers of. */
enum { SIDE = 256, STORED_ROWS = 50 };
static void multiply_stored(const struct kernels *kernels, enum float_type stored, const float *weights, const float *x, float *y)
{
    struct layer layer = make_layer(kernels, SIDE, SIDE);
    layer.packed.stored = stored;
    layer.packed.widened = stored == FLOATS_F32 ? NULL : make(SIDE * kernels->panel, 0);
    memset(layer.packed.bias, 0, SIDE * sizeof *layer.packed.bias);
    kernels->pack(&layer.packed, weights, SIDE, 0, SIDE);
    kernels->linear(&layer.packed, LINEAR_STORE, STORED_ROWS, x, SIDE, y, SIDE);
    free(layer.packed.widened);
    free_layer(&layer);
}

/* Weights of 16 bits give the bits that the same numbers give in f32, with every pattern of 16 bits among them: an output has those of one upper byte. */
static void check_stored(const struct kernels *kernels)
{
    uint16_t patterns[SIDE * SIDE];
    float *weights = make(SIDE * SIDE, 0), *x = make(STORED_ROWS * SIDE, 1), *wide = make(STORED_ROWS * SIDE, 0), *narrow = make(STORED_ROWS * SIDE, 0);
    size_t numbers = 0;
    int differ = 0;
    for (size_t i = 0; i < SIDE * SIDE; i++)
        patterns[i] = (uint16_t)i;
    for (int type = FLOATS_F16; type <= FLOATS_BF16; type++) {
        (type == FLOATS_F16 ? floats_from_f16 : floats_from_bf16)(patterns, SIDE * SIDE, weights);
        multiply_stored(kernels, FLOATS_F32, weights, x, wide);
        multiply_stored(kernels, (enum float_type)type, weights, x, narrow);
        for (size_t i = 0; i < STORED_ROWS * SIDE; i++) {
            numbers += isfinite(wide[i]) != 0;
            differ |= isnan(wide[i]) ? !isnan(narrow[i]) : memcmp(&wide[i], &narrow[i], sizeof *wide) != 0;
        }
    }
    report(kernels, "linear: bits of weights in 16 bits", differ || numbers < STORED_ROWS * SIDE * 3 / 2, 0);
    free(weights), free(x), free(wide), free(narrow);
}

int main(void)
{
    const struct kernels *kernels;
    for (size_t i = 0; (kernels = kernels_available(i)); i++) {
        check_linear(kernels);
        check_linear_outliers(kernels);
        check_stored(kernels);
        check_attention(kernels);
        check_layer_norm(kernels);
        check_sums(kernels);
    }
    return failures ? 1 : 0;
}
