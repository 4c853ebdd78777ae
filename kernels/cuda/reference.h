/* The kernels' plain references, on the host and in double precision: what kernels.h promises, said in the simplest way. Arrays are those of the kernels, f32 throughout
 * (values of 16-bit elements are f32 values too), so a kernel's error is its distance from these. */
#ifndef REPRISE_CUDA_REFERENCE_H
#define REPRISE_CUDA_REFERENCE_H

#include "kernels.h"

/* The batch is one on the host (packing_parts of the image). Norms' and biases' pointers are on the host too. */
void reference_embed(struct batch batch, int hidden, const float *words, const float *positions, const float *types, struct layer_norm norm, float *states);
void reference_add_norm(struct batch batch, int hidden, float *states, const float *delta, struct layer_norm norm);
void reference_gelu(struct batch batch, int width, float *x);
void reference_attention(struct batch batch, struct attention_shape shape, const float *qkv, float *context);
void reference_pool(struct batch batch, int hidden, const float *states, struct poolings poolings, float *pooled);
void reference_dense(struct batch batch, struct dense dense, const float *x, float *y);
void reference_normalize(struct batch batch, int width, int some, float *x);
/* y [rows, outputs] = x weights^T + bias; tanh_gelu: then GELU by the hyperbolic tangent (matmul.h). */
void reference_linear(int rows, int inputs, int outputs, const float *weights, const float *bias, int tanh_gelu, const float *x, float *y);

#endif
