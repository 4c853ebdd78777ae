/* Linear layers on the device, y = x weights^T + bias, by cuBLASLt.
 *
 * Promise: one algorithm for all layers of a shape, chosen once and kept for every number of rows, and none that splits a sum over blocks. An output element is
 * then one sum over k in an order that depends neither on the number of rows nor on their contents, so a row has the same bits in any
 * batch. It is the first of those that the library's heuristic names for a full batch which the library also allows for every other class of rows
 * (packing.h): a choice by timing would differ from run to run, and with it the bits. Should there be none, the first one is kept where it is allowed, and a class
 * that it is not allowed for has the heuristic's own: then a row's bits may depend on the class of its batch, and on nothing else.
 *
 * GELU: the library's epilogue is the approximation by the hyperbolic tangent, which is up to 5e-4 away from GELU by the error function. In f32 that would be
 * seen, so there GELU is a kernel of its own. In f16 and bf16 it is the epilogue, which spares a pass over the widest activations: a
 * MiniLM's embeddings move by a cosine of 0.999997, a tenth of what rounding to bf16 does. */
#ifndef REPRISE_CUDA_MATMUL_H
#define REPRISE_CUDA_MATMUL_H

#include <cublasLt.h>

#include "kernels.h"
#include "library.h"

enum matmul_then { MATMUL_BIAS, MATMUL_BIAS_GELU };

enum { MATMUL_CLASSES = 21, MATMUL_CHOICES = 8 };

/* What was chosen for layers of a shape, for each class of rows up to 65,536: BATCH_SIZE=128 of texts of 512 tokens. Larger ones have that of the last. */
struct matmul_choice { int inputs, outputs, rows; enum matmul_then then; cublasLtMatmulAlgo_t algorithm[MATMUL_CLASSES]; };

struct matmul_context {
    cublasLtHandle_t handle;
    enum element element;
    void *workspace;
    size_t workspace_bytes;
    struct matmul_choice choice[MATMUL_CHOICES];
    int choices;
};

struct matmul {
    int inputs, outputs;
    const void *weights; /* [outputs, inputs], on the device */
    cublasLtMatmulDesc_t description;
    cublasLtMatrixLayout_t weight_layout;
    const struct matmul_choice *choice; /* of the context, which must outlive this */
};

int matmul_context_open(struct matmul_context *context, enum element element, struct reason *why) __attribute__((warn_unused_result));
void matmul_context_close(struct matmul_context *context);

/* `rows`: of a full batch. weights [outputs, inputs] and bias [outputs] are on the device, in the element's type, 256 bytes aligned. */
int matmul_open(struct matmul_context *context, struct matmul *matmul, int inputs, int outputs, const void *weights, const void *bias, enum matmul_then then,
                int rows, struct reason *why) __attribute__((warn_unused_result));
void matmul_close(struct matmul *matmul);

/* x [rows, inputs], y [rows, outputs], end to end. */
int matmul_run(const struct matmul_context *context, const struct matmul *matmul, int rows, const void *x, void *y, cudaStream_t stream, struct reason *why)
    __attribute__((warn_unused_result));

#endif
