#include "reference.h"

#include <math.h>

static void norm_row(int width, const double *row, struct layer_norm norm, float *to)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < width; i++)
        mean += row[i] / width;
    for (int i = 0; i < width; i++)
        variance += (row[i] - mean) * (row[i] - mean) / width;
    for (int i = 0; i < width; i++)
        to[i] = (float)((row[i] - mean) / sqrt(variance + (double)norm.epsilon) * (double)norm.gain[i] + (double)norm.bias[i]);
}

void reference_embed(struct batch batch, int hidden, const float *words, const float *positions, const float *types, struct layer_norm norm, float *states)
{
    double row[HIDDEN_MOST];
    for (int t = 0; t < batch.counts[BATCH_TOKENS]; t++) {
        for (int i = 0; i < hidden; i++)
            row[i] = (double)words[(size_t)batch.ids[t] * (size_t)hidden + (size_t)i] + (double)positions[batch.positions[t] * hidden + i] +
                     (types ? (double)types[i] : 0);
        norm_row(hidden, row, norm, states + (size_t)t * (size_t)hidden);
    }
}

void reference_add_norm(struct batch batch, int hidden, float *states, const float *delta, struct layer_norm norm)
{
    double row[HIDDEN_MOST];
    for (int t = 0; t < batch.counts[BATCH_TOKENS]; t++, states += hidden, delta += hidden) {
        for (int i = 0; i < hidden; i++)
            row[i] = (double)states[i] + (double)delta[i];
        norm_row(hidden, row, norm, states);
    }
}

static double gelu(double x)
{
    return x * 0.5 * erfc(-x / sqrt(2));
}

void reference_gelu(struct batch batch, int width, float *x)
{
    const size_t count = (size_t)batch.counts[BATCH_TOKENS] * (size_t)width;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)gelu((double)x[i]);
}

/* One query of one head: `text` is the head's part of the text's first row. */
static void attend(struct attention_shape shape, int head, int tokens, int query, const float *text, float *context)
{
    const int size = shape.head_size, width = shape.heads * size, stride = 3 * width;
    double shares[tokens], largest = -HUGE_VAL, sum = 0;
    for (int key = 0; key < tokens; key++) {
        double score = 0;
        for (int i = 0; i < size; i++)
            score += (double)text[query * stride + i] * (double)text[key * stride + width + i];
        shares[key] = score / sqrt(size);
        if (shape.distance_bias)
            shares[key] += (double)shape.distance_bias[head * (2 * shape.longest - 1) + key - query + shape.longest - 1];
        largest = fmax(largest, shares[key]);
    }
    for (int key = 0; key < tokens; key++)
        sum += shares[key] = exp(shares[key] - largest);
    for (int key = 0; key < tokens; key++)
        shares[key] /= sum;
    for (int i = 0; i < size; i++) {
        double value = 0;
        for (int key = 0; key < tokens; key++)
            value += shares[key] * (double)text[key * stride + 2 * width + i];
        context[i] = (float)value;
    }
}

void reference_attention(struct batch batch, struct attention_shape shape, const float *qkv, float *context)
{
    const size_t width = (size_t)shape.heads * (size_t)shape.head_size;
    for (int text = 0; text < batch.counts[BATCH_TEXTS]; text++) {
        const int first = batch.offsets[text], tokens = batch.offsets[text + 1] - first;
        for (int head = 0; head < shape.heads; head++)
            for (int query = 0; query < tokens; query++)
                attend(shape, head, tokens, query, qkv + (size_t)first * 3 * width + head * shape.head_size,
                       context + (size_t)(first + query) * width + head * shape.head_size);
    }
}

static double pooled_value(int mode, int first, int tokens, int hidden, const float *column)
{
    double sum = 0, largest = (double)column[first * hidden];
    for (int t = first; t < tokens; t++) {
        const double value = (double)column[t * hidden];
        sum += mode == POOL_WEIGHTED_MEAN ? (t + 1) * value : value;
        largest = fmax(largest, value);
    }
    switch (mode) {
    case POOL_CLS: return (double)column[first * hidden];
    case POOL_LAST_TOKEN: return (double)column[(tokens - 1) * hidden];
    case POOL_MAX: return largest;
    case POOL_WEIGHTED_MEAN: return sum / (tokens * (tokens + 1.0) / 2 - first * (first + 1.0) / 2);
    case POOL_MEAN_SQRT_LEN: return sum / sqrt(tokens - first);
    default: return sum / (tokens - first);
    }
}

void reference_pool(struct batch batch, int hidden, const float *states, struct poolings poolings, float *pooled)
{
    for (int text = 0; text < batch.counts[BATCH_TEXTS]; text++) {
        const int first = batch.offsets[text], tokens = batch.offsets[text + 1] - first;
        for (int mode = 0; mode < poolings.count; mode++)
            for (int i = 0; i < hidden; i++)
                *pooled++ = (float)pooled_value(poolings.mode[mode], poolings.skipped < tokens ? poolings.skipped : tokens - 1, tokens, hidden, states + (size_t)first * (size_t)hidden + i);
    }
}

void reference_linear(int rows, int inputs, int outputs, const float *weights, const float *bias, int tanh_gelu, const float *x, float *y)
{
    for (int row = 0; row < rows; row++, x += inputs)
        for (int output = 0; output < outputs; output++) {
            double sum = bias ? (double)bias[output] : 0;
            for (int i = 0; i < inputs; i++)
                sum += (double)x[i] * (double)weights[(size_t)output * (size_t)inputs + (size_t)i];
            *y++ = (float)(tanh_gelu ? 0.5 * sum * (1 + tanh(sqrt(2 / M_PI) * (sum + 0.044715 * sum * sum * sum))) : sum);
        }
}

void reference_dense(struct batch batch, struct dense dense, const float *x, float *y)
{
    const int texts = batch.counts[BATCH_TEXTS];
    reference_linear(texts, dense.inputs, dense.outputs, dense.weights, dense.bias, 0, x, y);
    for (size_t i = 0; i < (size_t)texts * (size_t)dense.outputs; i++) {
        const double value = (double)y[i];
        y[i] = dense.activation == DENSE_TANH   ? (float)tanh(value)
               : dense.activation == DENSE_RELU ? (float)fmax(value, 0)
               : dense.activation == DENSE_SIGMOID ? (float)(1 / (1 + exp(-value)))
               : dense.activation == DENSE_GELU ? (float)gelu(value)
                                                : y[i];
    }
}

void reference_normalize(struct batch batch, int width, int some, float *x)
{
    for (int text = 0; text < batch.counts[BATCH_TEXTS]; text++, x += width) {
        double squares = 0;
        for (int i = 0; i < some; i++)
            squares += (double)x[i] * (double)x[i];
        for (int i = 0; i < width; i++)
            x[i] = (float)((double)x[i] / fmax(sqrt(squares), 1e-12));
    }
}
