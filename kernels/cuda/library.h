/* libreprise_cuda.so, from outside: the encoder on a GPU as a library of its own, which ../gpu.c loads at run time, so that text2emb itself needs no CUDA.
 *
 * Its one symbol is reprise_cuda, which gives the functions below to a caller of the same version, and NULL to any other. The types are plain, and
 * independent of the rest of Reprise. An encoder is used by one thread at a time. A process that will fork must do so before it calls anything here. */
#ifndef REPRISE_CUDA_LIBRARY_H
#define REPRISE_CUDA_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "../../tools/lib/message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { REPRISE_CUDA_VERSION = 3 }; /* to be raised with any change of this file */

enum { REPRISE_CUDA_NO_MEMORY = -2 }; /* beside 0 and -1: the device's memory does not suffice; nothing has changed */

enum cuda_precision { CUDA_PRECISION_F32, CUDA_PRECISION_F16, CUDA_PRECISION_BF16 };
enum cuda_pooling { CUDA_POOL_CLS, CUDA_POOL_MAX, CUDA_POOL_MEAN, CUDA_POOL_MEAN_SQRT_LEN, CUDA_POOL_WEIGHTED_MEAN, CUDA_POOL_LAST_TOKEN, CUDA_POOL_MODES };
enum cuda_activation { CUDA_IDENTITY, CUDA_TANH, CUDA_RELU, CUDA_GELU, CUDA_SIGMOID };

/* All pointers are to memory of the host, f32, row-major; layer weights are [outputs, inputs]. */
struct cuda_layer {
    const float *query, *key, *value, *query_bias, *key_bias, *value_bias; /* [hidden, hidden], [hidden] */
    const float *output, *output_bias, *attention_gain, *attention_bias;   /* [hidden, hidden], [hidden] … */
    const float *up, *up_bias;                                             /* [intermediate, hidden], [intermediate] */
    const float *down, *down_bias, *output_gain, *output_norm_bias;        /* [hidden, intermediate], [hidden] … */
};

struct cuda_dense_layer { size_t inputs, outputs; const float *weights, *bias; enum cuda_activation activation; }; /* bias: may be NULL */

/* Weights that need not be in memory all at once are asked for. */
struct cuda_weight_source {
    void *context;
    /* Rows first .. first + count - 1 of the word embeddings: where they are, or written to scratch [count, hidden]. */
    const float *(*words)(void *context, size_t first, size_t count, float *scratch);
    /* A layer's weights, there until the next call. 0, or -1 with `why`. */
    int (*layer)(void *context, size_t index, struct cuda_layer *layer, struct reason *why);
};

struct cuda_model {
    size_t hidden, layers, heads, intermediate, vocabulary, positions, max_tokens;
    float epsilon;
    struct cuda_weight_source source;
    const float *position_rows;                   /* [positions, hidden] */
    const float *types;                           /* [hidden], or NULL */
    const float *embedding_gain, *embedding_bias; /* [hidden] */
    const float *distance_bias;                   /* [heads, 2 * max_tokens - 1], or NULL: added to the score of a key d tokens behind its query, at d + max_tokens - 1 */
    size_t poolings;                              /* side by side in the embedding */
    enum cuda_pooling pooling[CUDA_POOL_MODES];
    size_t dense_layers;
    const struct cuda_dense_layer *dense;         /* [dense_layers], behind the pooling */
    size_t skipped;                               /* tokens at a text's begin that pooling leaves out */
    size_t dimension;                             /* of an embedding: the first so many numbers are kept */
    size_t normalize;                             /* so many numbers of an embedding, before it is cut, to length 1; 0: none */
};

struct cuda_settings {
    int device;
    enum cuda_precision precision;
    int graphs; /* whether forward passes are kept as graphs, where that can be done */
};

struct cuda_device_facts { char name[128]; int major, minor, multiprocessors; size_t memory; };

enum { CUDA_SLOTS = 3 }; /* batches that may be under way */

/* Text i has token ids ids[offsets[i]] .. ids[offsets[i + 1] - 1], and the same part of `positions`: rows of position_rows. */
struct cuda_texts { const int32_t *ids, *positions; const size_t *offsets; size_t count; };

struct cuda_encoder;

struct cuda_functions {
    /* The number of usable devices, 0 with `why` there is none. */
    int (*devices)(struct reason *why);
    /* Whether the kernels can do this model; no device is needed to know. 0, or -1 with `why`. */
    int (*check)(const struct cuda_model *model, struct reason *why);
    int (*facts)(int device, struct cuda_device_facts *facts, struct reason *why);
    /* Copies the weights to the device. NULL with `why`. The model may go afterwards. */
    struct cuda_encoder *(*open)(const struct cuda_model *model, const struct cuda_settings *settings, struct reason *why);
    /* How many tokens a batch should have at most, where `most` are wanted: no more than that. */
    size_t (*batch_tokens)(size_t most);
    /* Starts a batch in a free slot. Nothing that was passed is needed afterwards. 0, -1, or REPRISE_CUDA_NO_MEMORY: then fewer tokens may do. */
    int (*begin)(struct cuda_encoder *encoder, unsigned slot, const struct cuda_texts *texts, struct reason *why);
    /* Waits for the slot's batch; embeddings [texts, dimension]. The slot is free afterwards. */
    int (*finish)(struct cuda_encoder *encoder, unsigned slot, float *embeddings, struct reason *why);
    /* Seconds that the device was at work on the batches that are finished. */
    double (*busy)(const struct cuda_encoder *encoder);
    /* How many forward passes were those of a kept graph. */
    size_t (*replays)(const struct cuda_encoder *encoder);
    void (*close)(struct cuda_encoder *encoder); /* NULL is allowed */
};

__attribute__((visibility("default"))) const struct cuda_functions *reprise_cuda(int version);

#ifdef __cplusplus
}
#endif
#endif
