/* Compares the kernels in reduced precision, on every instruction set of this machine, with a plain reference in double precision, over random ragged shapes, and checks
 * that a row's bits depend on that row alone. The error allowed is what rounding to 16 or 8 bits must cost; a kernel that is wrong is wrong by far more. */
#include "../kernels/cpu/balance.h"
#include "../kernels/cpu/reduced.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_values.h"

static int failures;

static void *room(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!memory)
        exit(2);
    return memset(memory, 0, bytes);
}

static float *make(size_t count, double size)
{
    float *values = room(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(size * uniform());
    return values;
}

static void report(const char *kernels, const char *what, double error, double allowed)
{
    const int bad = !(error <= allowed);
    failures += bad;
    printf("%-20s %-32s largest error %.2e, allowed %.0e%s\n", kernels, what, error, allowed, bad ? "  TOO LARGE" : "");
}

static double larger(double a, double b)
{
    return isnan(b) || b > a ? b : a;
}

static struct operand make_operand(const struct reduced *kernels, size_t rows, size_t width)
{
    const size_t stride = kernels->operand_row_bytes(width);
    float *factors = make(width, 0);
    kernels->rotation_factors(width, factors);
    return (struct operand){room((rows + kernels->rows - 1) / kernels->rows * kernels->rows * stride), stride, room(rows * sizeof(float)), room(rows * sizeof(float)),
                            room((rows + 1) * 2 * sizeof(int32_t)), room(kernels->operand_room(width)), factors};
}

static void free_operand(struct operand *operand)
{
    free(operand->values), free(operand->scale), free(operand->zero), free(operand->pair_sums), free(operand->room), free((void *)operand->factors);
}

static struct reduced_linear make_layer(const struct reduced *kernels, size_t inputs, size_t outputs, const float *weights, const float *bias)
{
    const size_t wide = (outputs + kernels->panel - 1) / kernels->panel * kernels->panel;
    struct reduced_linear layer = {inputs, outputs, room(kernels->weight_bytes(inputs, outputs)), make(wide, 0), make(wide, 0), make(wide, 0), room(2 * wide * sizeof(int32_t))};
    const float **rows = room(outputs * sizeof *rows);
    float *factors = make(inputs, 0);
    kernels->rotation_factors(inputs, factors);
    for (size_t o = 0; o < outputs; o++)
        rows[o] = weights + o * inputs;
    if (kernels->pack(&layer, rows, factors) < 0)
        exit(2);
    memcpy(layer.bias, bias, outputs * sizeof *bias);
    free(rows), free(factors);
    return layer;
}

static void free_layer(struct reduced_linear *layer)
{
    free(layer->weights), free(layer->bias), free(layer->scale), free(layer->sums), free(layer->pair_sums);
}

static double exact(const float *x, const float *weights, const float *bias, size_t inputs, size_t output)
{
    double sum = (double)bias[output];
    for (size_t p = 0; p < inputs; p++)
        sum += (double)x[p] * (double)weights[output * inputs + p];
    return sum;
}

/* y [rows, outputs] of a layer, x given in f32. */
static void run_linear(const struct reduced *kernels, const struct reduced_linear *layer, enum linear_then then, size_t rows, const float *x, size_t x_stride, float *y,
                       size_t y_stride)
{
    struct operand operand = make_operand(kernels, rows, layer->inputs);
    kernels->convert(rows, layer->inputs, x, x_stride, &operand);
    kernels->linear(layer, then, rows, &operand, y, y_stride);
    free_operand(&operand);
}

/* The error in units of the result's standard deviation, for x and weights uniform in -1 .. 1: sqrt(inputs) / 3. */
static double check_linear_shape(const struct reduced *kernels, enum linear_then then, size_t rows, size_t inputs, size_t outputs, int *same_bits)
{
    const size_t x_stride = inputs + pick(0, 20), y_stride = outputs + pick(0, 20);
    float *weights = make(inputs * outputs, 1), *bias = make(outputs, 1), *x = make(rows * x_stride, 1), *y = make(rows * y_stride, 1);
    float *before = make(rows * y_stride, 0), *alone = make(outputs, 0);
    struct reduced_linear layer = make_layer(kernels, inputs, outputs, weights, bias);
    double error = 0;
    memcpy(before, y, rows * y_stride * sizeof *y);
    run_linear(kernels, &layer, then, rows, x, x_stride, y, y_stride);
    for (size_t i = 0; i < rows; i++) {
        memcpy(alone, before + i * y_stride, outputs * sizeof *alone);
        run_linear(kernels, &layer, then, 1, x + i * x_stride, x_stride, alone, y_stride);
        *same_bits &= memcmp(alone, y + i * y_stride, outputs * sizeof *alone) == 0;
        *same_bits &= memcmp(y + i * y_stride + outputs, before + i * y_stride + outputs, (y_stride - outputs) * sizeof *y) == 0; /* not ours */
        for (size_t o = 0; o < outputs; o++) {
            const double wanted = exact(x + i * x_stride, weights, bias, inputs, o) + (then == LINEAR_ADD ? (double)before[i * y_stride + o] : 0);
            error = larger(error, fabs((double)y[i * y_stride + o] - wanted) / (sqrt((double)inputs) / 3));
        }
    }
    free(weights), free(bias), free(x), free(y), free(before), free(alone);
    free_layer(&layer);
    return error;
}

/* Two layers with GELU between them, as a feed-forward block is; the first takes its inputs in two parts. What stands behind its results in memory is no number. */
static double check_gelu_shape(const struct reduced *kernels, size_t rows, size_t half, size_t wide, size_t outputs)
{
    const size_t inputs = 2 * half, stride = wide + pick(0, 20);
    float *up = make(inputs * wide, 1.5 / sqrt((double)inputs)), *up_bias = make(wide, 1), *down = make(wide * outputs, 1), *down_bias = make(outputs, 1);
    float *x = make(rows * inputs, 2), *scratch = make(rows * stride, 0), *y = make(rows * outputs, 0), *between = make(wide, 0);
    float *halves[2] = {make(half * wide, 0), make(half * wide, 0)}, *no_bias = make(wide, 0);
    for (size_t p = 0; p < 2; p++)
        for (size_t o = 0; o < wide; o++)
            memcpy(halves[p] + o * half, up + o * inputs + p * half, half * sizeof *up);
    struct reduced_linear first[2] = {make_layer(kernels, half, wide, halves[0], up_bias), make_layer(kernels, half, wide, halves[1], no_bias)};
    struct reduced_linear second = make_layer(kernels, wide, outputs, down, down_bias);
    struct operand middle = make_operand(kernels, rows, wide), operand = make_operand(kernels, rows, half);
    double error = 0;
    for (size_t i = 0; i < rows * stride; i++)
        scratch[i] = NAN;
    kernels->convert(rows, half, x, inputs, &operand);
    kernels->linear(&first[0], LINEAR_STORE, rows, &operand, scratch, stride);
    kernels->convert(rows, half, x + half, inputs, &operand);
    kernels->linear_gelu(&first[1], LINEAR_ADD, rows, &operand, scratch, stride, &middle);
    kernels->linear(&second, LINEAR_STORE, rows, &middle, y, outputs);
    for (size_t i = 0; i < rows; i++) {
        for (size_t o = 0; o < wide; o++) {
            const double u = exact(x + i * inputs, up, up_bias, inputs, o);
            between[o] = (float)(u * 0.5 * erfc(-u / sqrt(2)));
        }
        for (size_t o = 0; o < outputs; o++)
            error = larger(error, fabs((double)y[i * outputs + o] - exact(between, down, down_bias, wide, o)) / sqrt((double)wide));
    }
    free(up), free(up_bias), free(down), free(down_bias), free(x), free(scratch), free(y), free(between);
    free(halves[0]), free(halves[1]), free(no_bias);
    free_layer(&first[0]), free_layer(&first[1]), free_layer(&second);
    free_operand(&operand), free_operand(&middle);
    return error;
}

/* Rows as trained models have them: one number in 64 is many times as large as the others, and its weights are as much smaller. The root of the mean square error, in units of the
 * result's. Numbers that are rounded as they are take their units from the largest. */
static void check_outliers(const struct reduced *kernels, const char *name, double allowed)
{
    enum { INPUTS = 768, OUTPUTS = 64, AT_ONCE = 48, EVERY = 64 };
    const float times = 200;
    float *weights = make(INPUTS * OUTPUTS, 1), *bias = make(OUTPUTS, 0), *x = make(AT_ONCE * INPUTS, 1), *y = make(AT_ONCE * OUTPUTS, 0);
    double errors = 0, squares = 0;
    for (size_t p = 0; p < INPUTS; p += EVERY) {
        for (size_t i = 0; i < AT_ONCE; i++)
            x[i * INPUTS + p] *= times;
        for (size_t o = 0; o < OUTPUTS; o++)
            weights[o * INPUTS + p] /= times;
    }
    struct reduced_linear layer = make_layer(kernels, INPUTS, OUTPUTS, weights, bias);
    run_linear(kernels, &layer, LINEAR_STORE, AT_ONCE, x, INPUTS, y, OUTPUTS);
    for (size_t i = 0; i < AT_ONCE; i++)
        for (size_t o = 0; o < OUTPUTS; o++) {
            const double wanted = exact(x + i * INPUTS, weights, bias, INPUTS, o);
            errors += pow((double)y[i * OUTPUTS + o] - wanted, 2);
            squares += wanted * wanted;
        }
    report(name, "linear, with outliers", sqrt(errors / squares), allowed);
    free(weights), free(bias), free(x), free(y);
    free_layer(&layer);
}

static void check_linear(const struct reduced *kernels, const char *name, double allowed)
{
    int same_bits = 1;
    double store = 0, add = 0, gelu = 0;
    for (size_t rows = 1; rows <= 31; rows += 2) {
        store = larger(store, check_linear_shape(kernels, LINEAR_STORE, rows, pick(1, 300), pick(1, 150), &same_bits));
        add = larger(add, check_linear_shape(kernels, LINEAR_ADD, rows, pick(1, 300), pick(1, 150), &same_bits));
        gelu = larger(gelu, check_gelu_shape(kernels, rows, pick(8, 100), pick(8, 300), pick(1, 70)));
    }
    store = larger(store, check_linear_shape(kernels, LINEAR_STORE, 30, 3072, 64, &same_bits)); /* several parts of a panel, on tiles */
    add = larger(add, check_linear_shape(kernels, LINEAR_ADD, 100, pick(600, 1300), 90, &same_bits)); /* several blocks of rows */
    gelu = larger(gelu, check_gelu_shape(kernels, 70, 400, 100, 40));
    report(name, "linear", store, allowed);
    report(name, "linear, residual", add, allowed);
    report(name, "linear, gelu, linear", gelu, allowed);
    report(name, "linear: bits of a row alone", !same_bits, 0);
}

/* What a layer in int8 makes of values and weights as they are packed, to the bit, also where all that is added has one sign and is as large as can be. Fewer inputs than a
 * vector has lanes are not rotated, so that such rows and weights stay what they are. */
static void check_exact_sums(const struct reduced *kernels, const char *name)
{
    int differ = 0;
    for (size_t inputs = 1; inputs <= 600; inputs += inputs < 16 ? 1 : pick(1, 100)) {
        const size_t rows = pick(1, 20), outputs = pick(6, 70);
        float *x = make(rows * inputs, 1), *weights = make(outputs * inputs, 1), *bias = make(outputs, 1), *y = make(rows * outputs, 0);
        for (size_t p = 0; p < inputs; p++) {
            x[p] = p + 1 < inputs ? 1 : 0;
            weights[p] = 1, weights[inputs + p] = -1;
            weights[2 * inputs + p] = fabsf(weights[2 * inputs + p]), weights[3 * inputs + p] = -fabsf(weights[3 * inputs + p]);
            weights[4 * inputs + p] = p % 4 < 2 ? 1 : 0.01f;
            weights[5 * inputs + p] = p % 8 < 4 ? -1 : 0.01f;
        }
        struct reduced_linear layer = make_layer(kernels, inputs, outputs, weights, bias);
        struct operand operand = make_operand(kernels, rows, inputs);
        kernels->convert(rows, inputs, x, inputs, &operand);
        kernels->linear(&layer, LINEAR_STORE, rows, &operand, y, outputs);
        for (size_t i = 0; i < rows; i++)
            for (size_t o = 0; o < outputs; o++) {
                const size_t steps = (inputs + kernels->group - 1) / kernels->group;
                const int8_t *panel = (const int8_t *)layer.weights + o / kernels->panel * kernels->panel * steps * kernels->group;
                int32_t sum = 0;
                for (size_t p = 0; p < inputs; p++)
                    sum += ((const uint8_t *)operand.values)[i * operand.stride + p] * panel[(p / kernels->group * kernels->panel + o % kernels->panel) * kernels->group + p % kernels->group];
                const float wanted = fmaf((float)sum * layer.scale[o], operand.scale[i], fmaf(operand.zero[i], layer.sums[o], bias[o]));
                differ |= memcmp(&wanted, &y[i * outputs + o], sizeof wanted) != 0;
            }
        free(x), free(weights), free(bias), free(y);
        free_layer(&layer);
        free_operand(&operand);
    }
    report(name, "linear: exact sums", differ, 0);
}

/* Operands that take parts of the columns are as if each part had been converted alone. */
static void check_norm_parts(const struct reduced *kernels, const char *name)
{
    int differ = 0;
    for (size_t width = 8; width <= 400; width += 2 * pick(10, 30)) {
        const size_t rows = pick(1, 40), half = width / 2;
        float *x = make(rows * width, 1), *gain = make(width, 1), *bias = make(width, 1);
        struct operand parts[2] = {make_operand(kernels, rows, half), make_operand(kernels, rows, half)}, alone = make_operand(kernels, rows, half);
        const size_t bytes = (rows + kernels->rows - 1) / kernels->rows * kernels->rows * alone.stride;
        kernels->layer_norm(rows, width, x, width, gain, bias, 1e-12f, 2, parts);
        for (size_t p = 0; p < 2; p++) {
            kernels->convert(rows, half, x + p * half, width, &alone);
            differ |= memcmp(alone.values, parts[p].values, bytes) != 0 || memcmp(alone.scale, parts[p].scale, rows * sizeof *alone.scale) != 0;
            free_operand(&parts[p]);
        }
        free_operand(&alone);
        free(x), free(gain), free(bias);
    }
    report(name, "layer norm: operands of parts", differ, 0);
}

static void check_layer_norm(const struct reduced *kernels, const char *name)
{
    double error = 0;
    for (size_t width = 8; width <= 400; width += pick(20, 60)) {
        float *x = make(3 * width, 1), *before = make(3 * width, 0), *gain = make(width, 1), *bias = make(width, 1);
        struct operand operand = make_operand(kernels, 3, width);
        memcpy(before, x, 3 * width * sizeof *x);
        kernels->layer_norm(3, width, x, width, gain, bias, 1e-12f, 1, &operand);
        for (size_t i = 0; i < 3; i++) {
            const float *row = before + i * width;
            double mean = 0, variance = 0;
            for (size_t j = 0; j < width; j++)
                mean += (double)row[j] / (double)width;
            for (size_t j = 0; j < width; j++)
                variance += ((double)row[j] - mean) * ((double)row[j] - mean) / (double)width;
            for (size_t j = 0; j < width; j++)
                error = larger(error, fabs(((double)row[j] - mean) / sqrt(variance) * (double)gain[j] + (double)bias[j] - (double)x[i * width + j]));
        }
        free(x), free(before), free(gain), free(bias);
        free_operand(&operand);
    }
    report(name, "layer norm", error, 2e-5);
}

/* Against attention in f32, which kernels_check compares with a reference. Values lie in -1 .. 1, and so does what comes out. */
static double check_attention_shape(const struct reduced_attention *kernels, const struct kernels *f32, struct attention text, int biased, int *same_bits)
{
    const size_t width = text.heads * text.head_size, stride = width + pick(0, 20);
    float *qkv = make(text.tokens * 3 * width, 1), *bias = make(text.heads * (2 * text.reach - 1), 3), *context = make(text.queries * stride, 1);
    float *before = make(text.queries * stride, 0), *wanted = make(text.queries * stride, 1), *one = make(width, 1);
    float *scratch = make(kernels->scratch(text.tokens, text.head_size), 1e30), *scratch32 = make(f32->attention_scratch(text.tokens, text.head_size), 1);
    double error = 0;
    text.bias = biased ? bias : NULL;
    memcpy(before, context, text.queries * stride * sizeof *context);
    kernels->attention(&text, qkv, 3 * width, context, stride, scratch);
    f32->attention(&text, qkv, 3 * width, wanted, stride, scratch32);
    for (size_t i = 0; i < text.queries; i++) {
        struct attention alone = text;
        alone.query += i;
        alone.queries = 1;
        kernels->attention(&alone, qkv, 3 * width, one, width, scratch);
        *same_bits &= memcmp(one, context + i * stride, width * sizeof *one) == 0;
        *same_bits &= memcmp(context + i * stride + width, before + i * stride + width, (stride - width) * sizeof *one) == 0; /* not ours */
        for (size_t j = 0; j < width; j++)
            error = larger(error, fabs((double)context[i * stride + j] - (double)wanted[i * stride + j]));
    }
    free(qkv), free(bias), free(context), free(before), free(wanted), free(scratch), free(scratch32), free(one);
    return error;
}

/* Whatever the scores, a context is a mean of values. */
static double check_large_scores(const struct reduced_attention *kernels, double size)
{
    const struct attention text = {.tokens = 70, .heads = 2, .head_size = 32, .queries = 70, .reach = 70};
    float *qkv = make(70 * 192, 1), *context = make(70 * 64, 1), *scratch = make(kernels->scratch(70, 32), 1e30);
    double most = 0;
    for (size_t i = 0; i < 70; i++)
        for (size_t j = 0; j < 64; j++)
            qkv[i * 192 + j] *= (float)size;
    kernels->attention(&text, qkv, 192, context, 64, scratch);
    for (size_t i = 0; i < 70 * 64; i++)
        most = larger(most, fabs((double)context[i]));
    free(qkv), free(context), free(scratch);
    return most;
}

static void check_attention(const struct reduced_attention *kernels, const struct kernels *f32, const char *name, double allowed)
{
    static const struct attention shapes[] = {
        {.tokens = 512, .heads = 2, .head_size = 64, .queries = 512, .reach = 512}, {.tokens = 512, .heads = 1, .head_size = 32, .query = 511, .queries = 1, .reach = 512},
        {.tokens = 257, .heads = 4, .head_size = 32, .queries = 257, .reach = 300}, {.tokens = 96, .heads = 3, .head_size = 5, .queries = 96, .reach = 96},
        {.tokens = 95, .heads = 4, .head_size = 32, .queries = 1, .reach = 512},    {.tokens = 12, .heads = 12, .head_size = 32, .queries = 12, .reach = 12},
        {.tokens = 33, .heads = 2, .head_size = 128, .queries = 33, .reach = 33},   {.tokens = 1, .heads = 2, .head_size = 1, .queries = 1, .reach = 1},
    };
    double error = 0;
    int same_bits = 1;
    for (size_t tokens = 1; tokens <= 80; tokens += pick(1, 6)) {
        struct attention text = {.tokens = tokens, .heads = pick(1, 3), .head_size = pick(1, 80), .query = pick(0, tokens - 1), .reach = tokens + pick(0, 9)};
        text.queries = pick(1, tokens - text.query);
        error = larger(error, check_attention_shape(kernels, f32, text, tokens % 2, &same_bits));
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int biased = 0; biased < 2; biased++)
            error = larger(error, check_attention_shape(kernels, f32, shapes[i], biased, &same_bits));
    report(name, "attention", error, allowed);
    report(name, "attention: bits of a query alone", !same_bits, 0);
    report(name, "attention: large scores", check_large_scores(kernels, 1e3), 1.01);
}

#if defined(__x86_64__)
extern const struct reduced reduced_int16_avx512, reduced_int16_avx512_paired, reduced_int8_avx512, reduced_int8_avx512bw, reduced_int8_avx2, reduced_int8_amx;

/* y = x W^T by both; the numbers of bits that differ are returned, and the largest error relative to the lengths of x and of the weights. */
static int differ_by_pairs(size_t rows, size_t inputs, size_t outputs, const float *x, const float *weights, double *error)
{
    float *bias = make(outputs, 0), *plain = make(rows * outputs, 0), *paired = make(rows * outputs, 0);
    struct reduced_linear layer = make_layer(&reduced_int16_avx512, inputs, outputs, weights, bias);
    struct reduced_linear layer_paired = make_layer(&reduced_int16_avx512_paired, inputs, outputs, weights, bias);
    run_linear(&reduced_int16_avx512, &layer, LINEAR_STORE, rows, x, inputs, plain, outputs);
    run_linear(&reduced_int16_avx512_paired, &layer_paired, LINEAR_STORE, rows, x, inputs, paired, outputs);
    for (size_t i = 0; i < rows; i++)
        for (size_t o = 0; o < outputs; o++) {
            double x_length = 0, length = 0;
            for (size_t p = 0; p < inputs; p++) {
                x_length += pow((double)x[i * inputs + p], 2);
                length += pow((double)weights[o * inputs + p], 2);
            }
            *error = larger(*error, fabs((double)paired[i * outputs + o] - exact(x + i * inputs, weights, bias, inputs, o)) / sqrt(x_length * length));
        }
    const int result = memcmp(plain, paired, rows * outputs * sizeof *plain) != 0;
    free(bias), free(plain), free(paired);
    free_layer(&layer), free_layer(&layer_paired);
    return result;
}

/* int8's sums are exact, so tiles have the bits of AVX-512 VNNI. */
static void check_tiles(void)
{
    int differ = 0;
    for (size_t inputs = 1; inputs <= 3100; inputs += pick(1, 2 * inputs)) {
        const size_t rows = pick(1, 300), outputs = pick(1, 100);
        float *x = make(rows * inputs, 5), *weights = make(outputs * inputs, 0.1), *bias = make(outputs, 1), *by_vectors = make(rows * outputs, 0), *by_tiles = make(rows * outputs, 0);
        struct reduced_linear vectors = make_layer(&reduced_int8_avx512, inputs, outputs, weights, bias), tiles = make_layer(&reduced_int8_amx, inputs, outputs, weights, bias);
        run_linear(&reduced_int8_avx512, &vectors, LINEAR_STORE, rows, x, inputs, by_vectors, outputs);
        run_linear(&reduced_int8_amx, &tiles, LINEAR_STORE, rows, x, inputs, by_tiles, outputs);
        differ |= memcmp(by_vectors, by_tiles, rows * outputs * sizeof *by_tiles) != 0;
        free(x), free(weights), free(bias), free(by_vectors), free(by_tiles);
        free_layer(&vectors), free_layer(&tiles);
    }
    report("int8", "on tiles: bits of VNNI", differ, 0);
}

/* Integers lose nothing by pairs, so products by pairs have the same bits as plain ones; and no sum is too large, not that of a row with weights of its own direction, nor
 * where one number is all of a row. */
static void check_pairs(void)
{
    int differ = 0;
    double error = 0;
    for (size_t inputs = 1; inputs <= 4100; inputs += pick(1, 2 * inputs)) {
        const size_t rows = pick(1, 25), outputs = pick(1, 70);
        float *x = make(rows * inputs, 5), *weights = make(outputs * inputs, 0.1);
        for (size_t p = 0; p < inputs; p++) {
            x[p] = weights[p] = p % 3 ? 1 : -1;
            if (outputs > 1)
                weights[inputs + p] = -x[p];
            if (outputs > 2)
                weights[2 * inputs + p] = p ? 0 : 1;
            if (rows > 1)
                x[inputs + p] = p ? 0 : 1e6f;
        }
        differ |= differ_by_pairs(rows, inputs, outputs, x, weights, &error);
        free(x), free(weights);
    }
    report("int16", "by pairs: bits of plain products", differ, 0);
    report("int16", "by pairs: longest rows", error, 2e-3); /* numbers of one size are all rounded alike */
}

/* Rows that are no numbers, one of them with bits in places where others have none, stay without effect on their neighbours, and so does what comes of them. */
static void check_no_numbers(void)
{
    enum { TALL = 7, INPUTS = 200, OUTPUTS = 70 };
    static const uint32_t bits[] = {0x7fc0ffff, 0x7f800000, 0x7f7fffff};
    float *x = make(TALL * INPUTS, 1), *weights = make(OUTPUTS * INPUTS, 1), *bias = make(OUTPUTS, 1), *y = make(TALL * OUTPUTS, 0), *clean = make(TALL * OUTPUTS, 0);
    struct reduced_linear layer = make_layer(&reduced_int16_avx512_paired, INPUTS, OUTPUTS, weights, bias);
    int differ = 0;
    run_linear(&reduced_int16_avx512_paired, &layer, LINEAR_STORE, TALL, x, INPUTS, clean, OUTPUTS);
    for (size_t i = 0; i < 3; i++) { /* rows 1, 2 and 6: a lower one, an upper one, and one that is alone */
        const size_t row = i < 2 ? i + 1 : 6;
        for (size_t p = i; p < INPUTS; p += 17)
            memcpy(&x[row * INPUTS + p], &bits[i], sizeof bits[i]);
    }
    run_linear(&reduced_int16_avx512_paired, &layer, LINEAR_STORE, TALL, x, INPUTS, y, OUTPUTS);
    for (size_t row = 0; row < TALL; row++)
        for (size_t o = 0; o < OUTPUTS; o++)
            differ |= row == 1 || row == 2 || row == 6 ? !isnan(y[row * OUTPUTS + o]) : memcmp(&y[row * OUTPUTS + o], &clean[row * OUTPUTS + o], sizeof *y) != 0;
    report("int16", "by pairs: beside no numbers", differ, 0);
    free(x), free(weights), free(bias), free(y), free(clean);
    free_layer(&layer);
}
#endif

/* Factors of rows and of weights cancel each other, no longer product of both lengths comes out, and whatever stands in a model's file they are numbers. */
static void check_balance(void)
{
    enum { INPUTS = 96 };
    float *gain = make(INPUTS, 1), *bias = make(INPUTS, 0.3), *squares = make(INPUTS, 1), rows[INPUTS], weights[INPUTS];
    double error = 0, x[2] = {0}, w[2] = {0};
    for (size_t j = 0; j < INPUTS; j++)
        squares[j] *= squares[j];
    gain[0] = 30, squares[0] = 1e-4f; /* large where weights are small */
    gain[1] = bias[1] = 0, squares[2] = 0, gain[3] = bias[3] = squares[3] = 0;
    for (int huge = 1; huge >= 0; huge--) {
        gain[4] = huge ? 1e30f : 1;
        for (size_t j = 0; j < INPUTS; j++)
            rows[j] = weights[j] = 1;
        balance(INPUTS, gain, bias, squares, rows, weights);
        for (size_t j = 0; j < INPUTS; j++)
            error = larger(error, fabs((double)rows[j] * (double)weights[j] - 1));
    }
    for (size_t j = 0; j < INPUTS; j++) {
        const double a = (double)gain[j] * (double)gain[j] + (double)bias[j] * (double)bias[j], b = (double)squares[j];
        x[0] += a, w[0] += b;
        x[1] += a * (double)rows[j] * (double)rows[j], w[1] += b * (double)weights[j] * (double)weights[j];
    }
    report("balance", "factors cancel", error, 1e-6);
    report("balance", "lengths against unbalanced ones", sqrt(x[1] * w[1] / (x[0] * w[0])), 0.7);
    free(gain), free(bias), free(squares);
}

/* Largest errors of linear layers, and of those with outliers, by what values are. 16 bits have 1.2e-2 of the latter without rotation. */
static const struct allowed { const char *values; double linear, outliers; } allowed[] = {
    {"int24", 4e-6, 4e-5}, {"int16", 3e-3, 8e-3}, {"bf16", 3e-2, 8e-3}, {"int8", 1e-1, 4e-1}};

static void check_layers(const struct reduced *kernels, const char *name)
{
    const struct allowed *errors = allowed;
    while (strcmp(errors->values, kernels->values) != 0)
        errors++;
    check_linear(kernels, name, errors->linear);
    check_outliers(kernels, name, errors->outliers);
    if (strcmp(kernels->values, "int8") == 0 && !kernels->tile_rows)
        check_exact_sums(kernels, name);
    check_layer_norm(kernels, name);
    check_norm_parts(kernels, name);
}

int main(void)
{
    check_balance();
    static const char *const sets[] = {"amx", "avx512_paired", "avx512", "avx2"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        for (int wanted = PRECISION_F32; wanted < PRECISIONS; wanted++) {
            struct reduced kernels[2];
            struct reason why;
            setenv("KERNELS", sets[i], 1);
            const struct kernels *f32 = kernels_choose(&why);
            if (!f32 || !reduced_choose((enum precision)wanted, kernels) || kernels[LATE].precision != (enum precision)wanted)
                continue;
            const enum where first = wanted == PRECISION_INT8 ? LATE : EARLY; /* whose early layers are those of bf16 */
            for (enum where at = first; at <= LATE; at++) {
                char name[64];
                snprintf(name, sizeof name, "%s %s%s", kernels[at].values, sets[i], at != first ? ", late" : "");
                if (at == first || strcmp(kernels[LATE].values, kernels[EARLY].values) != 0)
                    check_layers(&kernels[at], name);
                check_attention(&kernels[at].attention, f32, name, at == EARLY && wanted == PRECISION_BF16 ? 3e-4 : 1e-2); /* 16 bits, or bf16 */
            }
        }
#if defined(__x86_64__)
    struct reason why;
    setenv("KERNELS", "amx", 1);
    if (kernels_choose(&why))
        check_tiles();
    setenv("KERNELS", "avx512", 1);
    if (kernels_choose(&why) && __builtin_cpu_supports("avx512vnni"))
        check_pairs(), check_no_numbers();
    /* What is chosen on other machines than this. */
    if (kernels_choose(&why) && __builtin_cpu_supports("avx512bw")) {
        check_linear(&reduced_int8_avx512bw, "int8 avx512bw", 1e-1);
        check_exact_sums(&reduced_int8_avx512bw, "int8 avx512bw");
    }
    setenv("KERNELS", "avx2", 1);
    if (kernels_choose(&why)) {
        check_linear(&reduced_int8_avx2, "int8 avx2", 1e-1);
        check_exact_sums(&reduced_int8_avx2, "int8 avx2");
    }
#endif
    return failures ? 1 : 0;
}
