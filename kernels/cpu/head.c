#include "head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct head {
    const struct model_folder *model;
    double *sums;       /* [hidden] */
    float *from, *into; /* [the widest step] */
};

/* ---- opening ---- */

static size_t widest(const struct model_folder *model)
{
    size_t most = model->poolings * model->hidden;
    for (size_t i = 0; i < model->denses; i++)
        most = model->dense[i].outputs > most ? model->dense[i].outputs : most;
    return most;
}

struct head *head_open(const struct model_folder *model, struct reason *why)
{
    struct head *head = calloc(1, sizeof *head);
    if (head) {
        head->model = model;
        head->sums = calloc(model->hidden, sizeof *head->sums);
        head->from = calloc(widest(model), sizeof *head->from);
        head->into = calloc(widest(model), sizeof *head->into);
    }
    if (head && head->sums && head->from && head->into)
        return head;
    head_close(head);
    fail(why, "out of memory");
    return NULL;
}

void head_close(struct head *head)
{
    if (!head)
        return;
    free(head->sums);
    free(head->from);
    free(head->into);
    free(head);
}

/* ---- pooling ---- */

/* The states of a text that are pooled: rows first .. tokens - 1. */
struct states { const float *rows; size_t stride, first, tokens; };

static const float *row_of(const struct states *states, size_t token)
{
    return states->rows + token * states->stride;
}

static void largest(const struct states *states, size_t hidden, float *embedding)
{
    memcpy(embedding, row_of(states, states->first), hidden * sizeof *embedding);
    for (size_t t = states->first + 1; t < states->tokens; t++)
        for (size_t i = 0; i < hidden; i++)
            embedding[i] = row_of(states, t)[i] > embedding[i] ? row_of(states, t)[i] : embedding[i];
}

/* The sum over tokens, each weighted by its place in the text from 1 or not at all, divided by `divisor`. */
static void weighted_sum(const struct states *states, size_t hidden, int by_place, double divisor, double *sums, float *embedding)
{
    for (size_t i = 0; i < hidden; i++)
        sums[i] = 0;
    for (size_t t = states->first; t < states->tokens; t++) {
        const double weight = by_place ? (double)(t + 1) : 1;
        for (size_t i = 0; i < hidden; i++)
            sums[i] += weight * (double)row_of(states, t)[i];
    }
    for (size_t i = 0; i < hidden; i++)
        embedding[i] = (float)(sums[i] / divisor);
}

static void pool(enum pooling pooling, const struct states *states, size_t hidden, double *sums, float *embedding)
{
    const double count = (double)(states->tokens - states->first), places = (double)(states->first + 1 + states->tokens) * count / 2;
    switch (pooling) {
    case POOLING_CLS: memcpy(embedding, row_of(states, states->first), hidden * sizeof *embedding); break;
    case POOLING_LAST_TOKEN: memcpy(embedding, row_of(states, states->tokens - 1), hidden * sizeof *embedding); break;
    case POOLING_MAX: largest(states, hidden, embedding); break;
    case POOLING_MEAN: weighted_sum(states, hidden, 0, count, sums, embedding); break;
    case POOLING_MEAN_SQRT_LEN: weighted_sum(states, hidden, 0, sqrt(count), sums, embedding); break;
    case POOLING_WEIGHTED_MEAN: weighted_sum(states, hidden, 1, places, sums, embedding); break;
    case POOLING_MODES: break;
    }
}

/* ---- dense layers and normalization ---- */

static double activate(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_TANH: return tanh(x);
    case ACTIVATION_RELU: return x > 0 ? x : 0;
    case ACTIVATION_GELU: return x * 0.5 * (1 + erf(x * 0.70710678118654752));
    case ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case ACTIVATION_IDENTITY: case ACTIVATIONS: break;
    }
    return x;
}

static void apply_dense(const struct model_dense *dense, const float *from, float *into)
{
    for (size_t o = 0; o < dense->outputs; o++) {
        const float *weights = dense->weights + o * dense->inputs;
        double sum = dense->bias ? (double)dense->bias[o] : 0;
        for (size_t i = 0; i < dense->inputs; i++)
            sum += (double)weights[i] * (double)from[i];
        into[o] = (float)activate(dense->activation, sum);
    }
}

static void normalize(float *values, size_t count)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (double)values[i] * (double)values[i];
    const double length = fmax(sqrt(squares), 1e-12);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((double)values[i] / length);
}

void head_embedding(struct head *head, const float *rows, size_t stride, size_t tokens, float *embedding)
{
    const struct model_folder *model = head->model;
    /* A text that was cut within the prompt keeps one token. */
    const struct states states = {rows, stride, model->skipped < tokens ? model->skipped : tokens - 1, tokens};
    size_t width = model->poolings * model->hidden;
    for (size_t i = 0; i < model->poolings; i++)
        pool(model->pooling[i], &states, model->hidden, head->sums, head->from + i * model->hidden);
    for (size_t i = 0; i < model->denses; i++) {
        float *into = head->into;
        apply_dense(&model->dense[i], head->from, into);
        head->into = head->from;
        head->from = into;
        width = model->dense[i].outputs;
    }
    if (model->normalize)
        normalize(head->from, model->normalize == 2 ? model->dimension : width);
    memcpy(embedding, head->from, model->dimension * sizeof *embedding);
}
