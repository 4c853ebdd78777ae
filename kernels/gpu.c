/* The GPU's half of encoder.h: finds libreprise_cuda.so beside the running program, and describes a model to it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/lib/model_folder.h"
#include "cuda/library.h"
#include "encoder.h"

_Static_assert((int)GPU_SLOTS == (int)CUDA_SLOTS && (int)GPU_NO_MEMORY == (int)REPRISE_CUDA_NO_MEMORY, "encoder.h and the library count alike");

/* A model in the library's words. */
struct description {
    const struct model_folder *model;
    struct cuda_model cuda;
    struct cuda_dense_layer dense[MODEL_DENSE];
    size_t taken; /* a layer, plus 1 */
};

struct gpu_encoder {
    const struct cuda_functions *functions;
    struct cuda_encoder *encoder;
    struct description description;
    int32_t *positions;
    size_t position_room;
};

/* ---- the library ---- */

/* The library beside this program, whatever folder it was called from and whatever LD_LIBRARY_PATH says. Once loaded it stays. */
static const struct cuda_functions *load_library(struct reason *why)
{
    static const struct cuda_functions *functions; /* of the library that was loaded, which stays */
    char path[4096 + 32];
    if (functions)
        return functions;
    const ssize_t length = readlink("/proc/self/exe", path, 4096);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    if (!slash) {
        fail_errno(why, "/proc/self/exe");
        return NULL;
    }
    strcpy(slash + 1, "libreprise_cuda.so");
    if (access(path, F_OK) < 0) {
        fail(why, "built without CUDA");
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fail(why, "%s", dlerror());
        return NULL;
    }
    const struct cuda_functions *(*get)(int version);
    *(void **)&get = dlsym(library, "reprise_cuda");
    functions = get ? get(REPRISE_CUDA_VERSION) : NULL;
    if (!functions)
        fail(why, "%s is of another version of Reprise", path);
    return functions;
}

/* ---- the description ---- */

static const float *give_words(void *context, size_t first, size_t count, float *scratch)
{
    const struct description *description = context;
    return model_words(description->model, first, count, scratch);
}

static int give_layer(void *context, size_t index, struct cuda_layer *to, struct reason *why)
{
    struct description *description = context;
    const struct model_folder *model = description->model;
    if (description->taken)
        model_layer_drop(model, description->taken - 1);
    description->taken = 0;
    if (model_layer_take(model, index, why) < 0)
        return -1;
    description->taken = index + 1;
    const struct model_layer *layer = &model->layer[index];
    *to = (struct cuda_layer){
        .query = layer->query, .key = layer->key, .value = layer->value, .query_bias = layer->query_bias, .key_bias = layer->key_bias, .value_bias = layer->value_bias,
        .output = layer->output, .output_bias = layer->output_bias, .attention_gain = layer->attention_gain, .attention_bias = layer->attention_bias,
        .up = layer->up, .up_bias = layer->up_bias, .down = layer->down, .down_bias = layer->down_bias,
        .output_gain = layer->output_gain, .output_norm_bias = layer->output_norm_bias,
    };
    return 0;
}

static void describe(const struct model_folder *model, struct description *description)
{
    static const enum cuda_pooling poolings[] = {
        [POOLING_CLS] = CUDA_POOL_CLS, [POOLING_MAX] = CUDA_POOL_MAX, [POOLING_MEAN] = CUDA_POOL_MEAN, [POOLING_MEAN_SQRT_LEN] = CUDA_POOL_MEAN_SQRT_LEN,
        [POOLING_WEIGHTED_MEAN] = CUDA_POOL_WEIGHTED_MEAN, [POOLING_LAST_TOKEN] = CUDA_POOL_LAST_TOKEN};
    static const enum cuda_activation activations[] = {
        [ACTIVATION_IDENTITY] = CUDA_IDENTITY, [ACTIVATION_TANH] = CUDA_TANH, [ACTIVATION_RELU] = CUDA_RELU, [ACTIVATION_GELU] = CUDA_GELU,
        [ACTIVATION_SIGMOID] = CUDA_SIGMOID};
    *description = (struct description){.model = model};
    const size_t width = model->denses ? model->dense[model->denses - 1].outputs : model->poolings * model->hidden;
    struct cuda_model cuda = {
        .hidden = model->hidden, .layers = model->layers, .heads = model->heads, .intermediate = model->intermediate, .vocabulary = model->vocabulary,
        .positions = model->positions, .max_tokens = model->max_tokens, .epsilon = model->epsilon,
        .source = {description, give_words, give_layer}, .position_rows = model->position_rows, .types = model->types,
        .embedding_gain = model->embedding_gain, .embedding_bias = model->embedding_bias, .distance_bias = model->distance_bias,
        .poolings = model->poolings, .dense_layers = model->denses, .dense = description->dense, .skipped = model->skipped, .dimension = model->dimension,
        .normalize = model->normalize == 2 ? model->dimension : model->normalize ? width : 0,
    };
    for (size_t i = 0; i < model->poolings; i++)
        cuda.pooling[i] = poolings[model->pooling[i]];
    for (size_t i = 0; i < model->denses; i++)
        description->dense[i] = (struct cuda_dense_layer){model->dense[i].inputs, model->dense[i].outputs, model->dense[i].weights, model->dense[i].bias,
                                                          activations[model->dense[i].activation]};
    description->cuda = cuda;
}

/* ---- what encoder.h promises ---- */

int gpu_count(const struct model_folder *model, enum precision precision, struct reason *why)
{
    struct description description;
    if (precision == PRECISION_INT8) {
        fail(why, "a GPU computes in f32, f16 and bf16, not in int8");
        return 0;
    }
    const struct cuda_functions *functions = load_library(why);
    if (!functions)
        return 0;
    describe(model, &description);
    return functions->check(&description.cuda, why) < 0 ? 0 : functions->devices(why);
}

struct gpu_encoder *gpu_encoder_open(const struct model_folder *model, int device, enum precision precision, struct reason *why)
{
    static const enum cuda_precision precisions[PRECISIONS] = {[PRECISION_F16] = CUDA_PRECISION_F16, [PRECISION_BF16] = CUDA_PRECISION_BF16};
    if (gpu_count(model, precision, why) == 0)
        return NULL;
    const struct cuda_functions *functions = load_library(why);
    struct gpu_encoder *encoder = functions ? calloc(1, sizeof *encoder) : NULL;
    if (!encoder) {
        if (functions)
            fail(why, "out of memory");
        return NULL;
    }
    encoder->functions = functions;
    describe(model, &encoder->description);
    const struct cuda_settings settings = {.device = device, .precision = precisions[precision], .graphs = 1};
    encoder->encoder = functions->open(&encoder->description.cuda, &settings, why);
    if (encoder->description.taken)
        model_layer_drop(model, encoder->description.taken - 1);
    if (encoder->encoder)
        return encoder;
    free(encoder);
    return NULL;
}

size_t gpu_encoder_batch_tokens(const struct gpu_encoder *encoder, size_t most)
{
    const size_t tokens = encoder->functions->batch_tokens(most), longest = encoder->description.model->max_tokens;
    return tokens > longest ? tokens : longest;
}

static int make_positions(struct gpu_encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, struct reason *why)
{
    if (offsets[texts] > encoder->position_room) {
        free(encoder->positions);
        encoder->position_room = 0;
        if (!(encoder->positions = malloc(offsets[texts] * sizeof *encoder->positions)))
            return fail(why, "out of memory");
        encoder->position_room = offsets[texts];
    }
    for (size_t i = 0; i < texts; i++)
        model_positions(encoder->description.model, ids + offsets[i], offsets[i + 1] - offsets[i], encoder->positions + offsets[i]);
    return 0;
}

int gpu_encoder_begin(struct gpu_encoder *encoder, unsigned slot, const int32_t *ids, const size_t *offsets, size_t texts, struct reason *why)
{
    if (make_positions(encoder, ids, offsets, texts, why) < 0)
        return -1;
    const struct cuda_texts batch = {.ids = ids, .positions = encoder->positions, .offsets = offsets, .count = texts};
    return encoder->functions->begin(encoder->encoder, slot, &batch, why);
}

int gpu_encoder_finish(struct gpu_encoder *encoder, unsigned slot, float *embeddings, struct reason *why)
{
    return encoder->functions->finish(encoder->encoder, slot, embeddings, why);
}

double gpu_encoder_busy(const struct gpu_encoder *encoder)
{
    return encoder->functions->busy(encoder->encoder);
}

void gpu_encoder_close(struct gpu_encoder *encoder)
{
    if (!encoder)
        return;
    encoder->functions->close(encoder->encoder);
    free(encoder->positions);
    free(encoder);
}
