#include "weights.h"

#include <stdlib.h>

#include "check.h"

enum { ALIGNMENT = 256, STAGED = 16 << 20 }; /* bytes; floats that are converted at a time */

/* Goes over all tensors twice: first only their sizes are added up, then they are copied into the memory that was made. */
struct upload {
    enum element element;
    cudaStream_t stream;
    char *memory;   /* NULL: sizes alone */
    float *staging; /* [STAGED], where f32 waits to be converted; NULL for f32 */
    float *scratch; /* [STAGED], on the host */
    size_t at;      /* bytes */
    struct reason *why;
};

static int copy(cudaStream_t stream, void *to, const float *from, size_t count, struct reason *why)
{
    TRY_CUDA(cudaMemcpyAsync(to, from, count * sizeof *from, cudaMemcpyHostToDevice, stream), "copying weights to the device");
    return 0;
}

static int copy_converted(const struct upload *upload, char *to, const float *from, size_t count)
{
    struct reason *why = upload->why;
    const size_t size = element_size(upload->element);
    for (size_t i = 0; i < count; i += STAGED) {
        const size_t some = count - i < STAGED ? count - i : STAGED;
        TRY(copy(upload->stream, upload->staging, from + i, some, why));
        TRY_CUDA(cuda_convert(upload->element, upload->stream, some, upload->staging, to + i * size), "converting weights");
    }
    return 0;
}

/* Makes a place for `count` elements, and gives its address; the bytes follow by `fill`. */
static char *place(struct upload *upload, size_t count, size_t size)
{
    char *to = upload->memory ? upload->memory + upload->at : NULL;
    upload->at += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return to;
}

static int fill(const struct upload *upload, char *place_, size_t first, const float *from, size_t count, enum element element)
{
    if (!upload->memory)
        return 0;
    char *to = place_ + first * element_size(element);
    return element == ELEMENT_F32 ? copy(upload->stream, to, from, count, upload->why) : copy_converted(upload, to, from, count);
}

/* A tensor in the element's type, or in f32. */
static int put(struct upload *upload, const void **to, const float *from, size_t count)
{
    char *at = place(upload, count, element_size(upload->element));
    *to = at;
    return fill(upload, at, 0, from, count, upload->element);
}

static int put_floats(struct upload *upload, const float **to, const float *from, size_t count)
{
    char *at = place(upload, count, sizeof(float));
    *to = (const void *)at;
    return fill(upload, at, 0, from, count, ELEMENT_F32);
}

static int put_norm(struct upload *upload, struct layer_norm *norm, const float *gain, const float *bias, size_t hidden, float epsilon)
{
    norm->epsilon = epsilon;
    TRY(put_floats(upload, &norm->gain, gain, hidden));
    return put_floats(upload, &norm->bias, bias, hidden);
}

static int put_linear(struct upload *upload, struct device_linear *linear, const float *weights, const float *bias, size_t inputs, size_t outputs)
{
    TRY(put(upload, &linear->weights, weights, inputs * outputs));
    return put(upload, &linear->bias, bias, outputs);
}

static int put_qkv(struct upload *upload, struct device_linear *linear, const struct cuda_layer *layer, size_t hidden)
{
    const float *weights[] = {layer->query, layer->key, layer->value}, *biases[] = {layer->query_bias, layer->key_bias, layer->value_bias};
    const size_t size = element_size(upload->element);
    char *all = place(upload, 3 * hidden * hidden, size), *bias = place(upload, 3 * hidden, size);
    *linear = (struct device_linear){all, bias};
    for (size_t i = 0; i < 3; i++) {
        TRY(fill(upload, all, i * hidden * hidden, weights[i], hidden * hidden, upload->element));
        TRY(fill(upload, bias, i * hidden, biases[i], hidden, upload->element));
    }
    return 0;
}

static int put_layer(struct upload *upload, struct device_layer *to, const struct cuda_layer *layer, const struct cuda_model *model)
{
    const size_t hidden = model->hidden, wide = model->intermediate;
    TRY(put_qkv(upload, &to->qkv, layer, hidden));
    TRY(put_linear(upload, &to->output, layer->output, layer->output_bias, hidden, hidden));
    TRY(put_linear(upload, &to->up, layer->up, layer->up_bias, hidden, wide));
    TRY(put_linear(upload, &to->down, layer->down, layer->down_bias, wide, hidden));
    TRY(put_norm(upload, &to->attention_norm, layer->attention_gain, layer->attention_bias, hidden, model->epsilon));
    return put_norm(upload, &to->output_norm, layer->output_gain, layer->output_norm_bias, hidden, model->epsilon);
}

static int put_dense(struct upload *upload, struct dense *to, const struct cuda_dense_layer *dense)
{
    static const enum dense_activation activations[] = {
        [CUDA_IDENTITY] = DENSE_IDENTITY, [CUDA_TANH] = DENSE_TANH, [CUDA_RELU] = DENSE_RELU, [CUDA_GELU] = DENSE_GELU,
        [CUDA_SIGMOID] = DENSE_SIGMOID};
    *to = (struct dense){.inputs = (int)dense->inputs, .outputs = (int)dense->outputs, .activation = activations[dense->activation]};
    TRY(put_floats(upload, &to->weights, dense->weights, dense->inputs * dense->outputs));
    return dense->bias ? put_floats(upload, &to->bias, dense->bias, dense->outputs) : 0;
}

/* The word embeddings, as many rows at a time as scratch [STAGED] holds. */
static int put_words(struct upload *upload, const void **to, const struct cuda_model *model)
{
    struct reason *why = upload->why;
    const size_t at_a_time = STAGED / model->hidden;
    char *at = place(upload, model->vocabulary * model->hidden, element_size(upload->element));
    *to = at;
    for (size_t first = 0; upload->memory && first < model->vocabulary; first += at_a_time) {
        const size_t some = model->vocabulary - first < at_a_time ? model->vocabulary - first : at_a_time;
        const float *rows = model->source.words(model->source.context, first, some, upload->scratch);
        TRY(fill(upload, at, first * model->hidden, rows, some * model->hidden, upload->element));
        TRY_CUDA(cudaStreamSynchronize(upload->stream), "copying word embeddings to the device"); /* scratch is written again */
    }
    return 0;
}

static int put_layers(struct upload *upload, struct device_weights *weights, const struct cuda_model *model)
{
    struct reason *why = upload->why;
    for (size_t i = 0; i < model->layers; i++) {
        struct cuda_layer layer = {0};
        if (upload->memory && model->source.layer(model->source.context, i, &layer, why) < 0)
            return -1;
        TRY(put_layer(upload, &weights->layer[i], &layer, model));
        TRY_CUDA(cudaStreamSynchronize(upload->stream), "copying a layer to the device"); /* it goes with the next call */
    }
    return 0;
}

static int put_all(struct upload *upload, struct device_weights *weights, const struct cuda_model *model)
{
    TRY(put_words(upload, &weights->tables.words, model));
    TRY(put(upload, &weights->tables.positions, model->position_rows, model->positions * model->hidden));
    if (model->types)
        TRY(put(upload, &weights->tables.types, model->types, model->hidden));
    TRY(put_norm(upload, &weights->embedding_norm, model->embedding_gain, model->embedding_bias, model->hidden, model->epsilon));
    TRY(put_layers(upload, weights, model));
    if (model->distance_bias)
        TRY(put_floats(upload, &weights->distance_bias, model->distance_bias, model->heads * (2 * model->max_tokens - 1)));
    for (size_t i = 0; i < model->dense_layers; i++)
        TRY(put_dense(upload, &weights->dense[i], &model->dense[i]));
    return 0;
}

static int put_in_memory(struct upload *upload, struct device_weights *weights, const struct cuda_model *model)
{
    struct reason *why = upload->why;
    TRY(put_all(upload, weights, model));
    TRY_CUDA(cudaMalloc(&weights->memory, upload->at), "memory for the weights");
    if (upload->element != ELEMENT_F32)
        TRY_CUDA(cudaMalloc((void **)&upload->staging, STAGED * sizeof(float)), "memory to convert weights in");
    upload->memory = weights->memory;
    upload->at = 0;
    TRY(put_all(upload, weights, model));
    TRY_CUDA(cudaStreamSynchronize(upload->stream), "copying weights to the device");
    return 0;
}

int weights_upload(struct device_weights *weights, const struct cuda_model *model, enum element element, cudaStream_t stream, struct reason *why)
{
    struct upload upload = {.element = element, .stream = stream, .why = why};
    *weights = (struct device_weights){.layer = calloc(model->layers, sizeof *weights->layer), .dense = calloc(model->dense_layers + 1, sizeof *weights->dense)};
    upload.scratch = malloc(STAGED * sizeof *upload.scratch);
    if (!weights->layer || !weights->dense || !upload.scratch) {
        free(upload.scratch);
        return explain(why, "out of memory");
    }
    const int result = put_in_memory(&upload, weights, model);
    if (upload.staging)
        (void)cudaFree(upload.staging);
    free(upload.scratch);
    return result;
}

void weights_free(struct device_weights *weights)
{
    if (weights->memory)
        (void)cudaFree(weights->memory);
    free(weights->layer);
    free(weights->dense);
    *weights = (struct device_weights){0};
}
