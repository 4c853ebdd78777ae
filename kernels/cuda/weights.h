/* A model's weights on the device: one block of memory, every tensor in its place, in the type that the kernels want. */
#ifndef REPRISE_CUDA_WEIGHTS_H
#define REPRISE_CUDA_WEIGHTS_H

#include "kernels.h"
#include "library.h"

/* A linear layer: weights [outputs, inputs], bias [outputs]. */
struct device_linear { const void *weights, *bias; };

struct device_layer {
    struct device_linear qkv, output, up, down; /* queries, keys and values as one layer */
    struct layer_norm attention_norm, output_norm;
};

struct device_weights {
    void *memory;
    struct embedding_tables tables;
    struct layer_norm embedding_norm;
    struct device_layer *layer; /* [layers] */
    const float *distance_bias; /* NULL: none */
    struct dense *dense;        /* [dense_layers] */
};

/* Copies and converts. 0, -1 or REPRISE_CUDA_NO_MEMORY. weights_free in every case. */
int weights_upload(struct device_weights *weights, const struct cuda_model *model, enum element element, cudaStream_t stream, struct reason *why)
    __attribute__((warn_unused_result));
void weights_free(struct device_weights *weights);

#endif
