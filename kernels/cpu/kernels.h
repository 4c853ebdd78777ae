/* The numeric kernels of the encoder on a CPU, in f32: one source (kernels_source.h), built once per instruction set, picked at run time.
 *
 * Promise: a row of a result depends on that row of the input alone, to the bit: every element is one chain of multiply-adds over k
 * in ascending order, whatever the number of rows, their place among others and the memory they lie in. So texts can be packed
 * one behind the other and need no padding. Across instruction sets the bits differ (an FMA rounds once, SSE twice).
 *
 * Why not a library's matrix product: measured on one AVX-512 core, this one is as fast as oneDNN's packed one, and
 * a library may choose another order of summation for another number of rows.
 *
 * On AMX tiles linear layers are those of reduced.h, in f32 too, and the rest is by AVX-512.
 *
 * Where a processor adds beside its multipliers, a third of the multiplications are saved (paired_product.h): then an element is a chain over triples of k, again in
 * ascending order. Why not Strassen's seven products for eight: measured on Zen 5 in Winograd's form, rows paired within a text, the products became 8 % faster, the
 * whole 1 to 3 %, and an embedding's largest error grew from 2e-7 to 5e-7 and more; products by pairs make the whole a third faster with 5e-7. In integers it costs no bit and
 * no pairing within a text, and is done (seven_products.h). */
#ifndef REPRISE_KERNELS_H
#define REPRISE_KERNELS_H

#include <stddef.h>

#include "../../tools/lib/half_floats.h"
#include "../../tools/lib/message.h"

static inline size_t round_up(size_t number, size_t unit)
{
    return (number + unit - 1) / unit * unit;
}

/* A linear layer y = x W^T + b, its weights packed for one instruction set: panels of `panel` outputs, each [inputs, panel], the last one
 * filled up with zeros. Weights that have no more than 16 bits take no more. */
struct linear {
    size_t inputs, outputs;
    enum float_type stored;
    void *weights;  /* [ceil(outputs / panel), inputs, panel], as `stored` says */
    float *widened; /* [inputs, panel], where 16 bits become floats again, a panel at a time; layers may share it */
    float *bias;    /* [outputs], filled up to whole panels, as are */
    float *unscale, *pair_sums; /* what `pack` notes of each output where products are made by pairs (paired_product.h) */
};

enum linear_then {
    LINEAR_STORE, /* y = x W^T + b */
    LINEAR_GELU,  /* y = gelu(x W^T + b), by the error function */
    LINEAR_ADD    /* y += x W^T + b (the residual connection) */
};

/* Self-attention of one text. */
struct attention {
    size_t tokens, heads, head_size;
    size_t query, queries; /* the tokens whose context is wanted: `queries` of them from `query` on */
    /* NULL, or what is added to a scaled score by the place of the key relative to the query (MPNet, T5): [heads, 2 * reach - 1], at
     * [head, key - query + reach - 1]. One table serves texts of every length up to `reach`. */
    const float *bias;
    size_t reach;
};

struct kernels {
    const char *name, *set; /* by which they are chosen; the instruction set, which "avx512_paired" (paired_product.h) and "amx" share with "avx512" */
    size_t panel; /* outputs side by side in a panel of weights */

    /* Packs weights [outputs, inputs], each row `stride` floats behind the one before as a model file holds them, into layer->weights, from output `first` on. */
    void (*pack)(const struct linear *layer, const float *weights, size_t stride, size_t first, size_t outputs);
    /* x [rows, inputs] and y [rows, outputs], each row `stride` floats behind the one before; y is not x. */
    void (*linear)(const struct linear *layer, enum linear_then then, size_t rows, const float *x, size_t x_stride, float *y, size_t y_stride);
    /* qkv [tokens, 3 * heads * head_size]: queries, keys, values side by side; context [queries, heads * head_size]. */
    void (*attention)(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch);
    /* Floats of scratch memory that attention needs for a text of this length. */
    size_t (*attention_scratch)(size_t tokens, size_t head_size);
    /* In place over rows of x [rows, width]: (x - mean) / sqrt(variance + epsilon) * gain + bias. To copy [rows, width] too. */
    void (*layer_norm)(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, float *copy, size_t copy_stride);
    /* The same of a + b + c, all [width], to x [width]; c may be NULL. 1 / sqrt(variance + epsilon) is returned. */
    float (*layer_norm_of_sum)(size_t width, const float *a, const float *b, const float *c, const float *gain, const float *bias, float epsilon, float *x);
    /* y = (a + b) * factor + c, all [width] */
    void (*scaled_sum)(size_t width, const float *a, const float *b, float factor, const float *c, float *y);
};

/* The instruction sets this program was built for and this machine has, best first; NULL behind the last. */
const struct kernels *kernels_available(size_t index);
/* The best one, or the one that the environment variable KERNELS names (amx, avx512_paired, avx512, avx2, plain). NULL with `why` if that is not available. */
const struct kernels *kernels_choose(struct reason *why) __attribute__((warn_unused_result));

#endif
