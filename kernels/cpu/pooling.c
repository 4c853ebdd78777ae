#include "pooling.h"

#include <math.h>
#include <string.h>

static void largest(const float *states, size_t stride, size_t tokens, size_t hidden, float *embedding)
{
    memcpy(embedding, states, hidden * sizeof *embedding);
    for (size_t t = 1; t < tokens; t++)
        for (size_t i = 0; i < hidden; i++)
            embedding[i] = states[t * stride + i] > embedding[i] ? states[t * stride + i] : embedding[i];
}

/* The sum over tokens, each weighted by its position from 1 or not at all, divided by `divisor`. */
static void weighted_sum(const float *states, size_t stride, size_t tokens, size_t hidden, int by_position, double divisor, double *sums, float *embedding)
{
    for (size_t i = 0; i < hidden; i++)
        sums[i] = 0;
    for (size_t t = 0; t < tokens; t++) {
        const double weight = by_position ? (double)(t + 1) : 1;
        for (size_t i = 0; i < hidden; i++)
            sums[i] += weight * (double)states[t * stride + i];
    }
    for (size_t i = 0; i < hidden; i++)
        embedding[i] = (float)(sums[i] / divisor);
}

static void pool_one(enum pooling pooling, const float *states, size_t stride, size_t tokens, size_t hidden, double *sums, float *embedding)
{
    const double count = (double)tokens;
    switch (pooling) {
    case POOLING_CLS: memcpy(embedding, states, hidden * sizeof *embedding); break;
    case POOLING_LAST_TOKEN: memcpy(embedding, states + (tokens - 1) * stride, hidden * sizeof *embedding); break;
    case POOLING_MAX: largest(states, stride, tokens, hidden, embedding); break;
    case POOLING_MEAN: weighted_sum(states, stride, tokens, hidden, 0, count, sums, embedding); break;
    case POOLING_MEAN_SQRT_LEN: weighted_sum(states, stride, tokens, hidden, 0, sqrt(count), sums, embedding); break;
    case POOLING_WEIGHTED_MEAN: weighted_sum(states, stride, tokens, hidden, 1, count * (count + 1) / 2, sums, embedding); break;
    case POOLING_MODES: break;
    }
}

void pool(const struct model_folder *model, const float *states, size_t stride, size_t tokens, double *sums, float *embedding)
{
    for (size_t i = 0; i < model->poolings; i++)
        pool_one(model->pooling[i], states, stride, tokens, model->hidden, sums, embedding + i * model->hidden);
    if (!model->normalize)
        return;
    const size_t width = model->poolings * model->hidden;
    double squares = 0;
    for (size_t i = 0; i < width; i++)
        squares += (double)embedding[i] * (double)embedding[i];
    const double length = fmax(sqrt(squares), 1e-12);
    for (size_t i = 0; i < width; i++)
        embedding[i] = (float)((double)embedding[i] / length);
}
