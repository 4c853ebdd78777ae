/* The encoder's forward pass on a device (the parts behind library.h). */
#ifndef REPRISE_CUDA_ENCODER_H
#define REPRISE_CUDA_ENCODER_H

#include "matmul.h"
#include "packing.h"
#include "weights.h"

struct layer_products { struct matmul qkv, output, up, down; };

/* What a forward pass works with. Activations have room for `rows` tokens; where two are never alive together they share their memory:
 *   states [rows, hidden] | wide: qkv [rows, 3 hidden] and context [rows, hidden], or up [rows, intermediate] | delta [rows, hidden] */
struct forward {
    enum element element;
    int hidden, heads, intermediate, layers, tensor_cores, longest;
    size_t dense_layers;
    int normalize; /* so many numbers to length 1; 0: none */
    struct poolings poolings;
    struct device_weights weights;
    struct matmul_context products;
    struct layer_products *product; /* [layers] */

    int rows;
    void *memory, *states, *wide, *delta;
};

/* Where a batch's pooled rows go, f32: `pooled` [texts, poolings * hidden]; with a dense head, from one to the other and back. */
struct embeddings { float *pooled, *other; };

/* Puts one forward pass into the stream; its launches depend on the packing's class alone. *result: where the embeddings will be. */
int forward_run(const struct forward *forward, const struct packing *packing, const void *image, struct embeddings to, cudaStream_t stream, struct reason *why)
    __attribute__((warn_unused_result));
/* Of `to`, the one in which the embeddings end. */
float *forward_result(const struct forward *forward, struct embeddings to);
/* Floats of a row where the embeddings end, and of the widest row on the way there. */
size_t forward_width(const struct forward *forward);
size_t forward_widest(const struct forward *forward);

#endif
