/* Linear layers in whole numbers, or in bf16: what a product reads is rounded to 8 or 16 bits, or on AMX tiles to 24, which is f32; everything else (biases, the residual stream, layer norms,
 * softmax, GELU) stays f32. Units are those of each output's weights and of each token's activations, found as they come, so nothing is calibrated. Sums of whole numbers are in 32-bit integers and exact.
 * One source (reduced_source.h), built once per format and instruction set.
 *
 *   f32   on AMX tiles alone, in 24 bits, three digits of eight (tile_product.h): six products of int8 for one, and still two to three times as fast as multiply-adds in f32. Both
 *         factors are rotated before, which spreads what is large; so errors are those of f32's own sums (README, "Precision").
 *   bf16  in 16 bits: they take as long as bf16 numbers, or less by pairs, and are closer to f32: of 500 texts in 12 languages, all-mpnet-base-v2 had one at a cosine of 0.9976 in
 *         bf16. A row's length leaves a value some 11 bits, so both factors are rotated before. By AVX-512 VNNI (VPDPWSSD) or AVX2 (VPMADDWD), or in two digits on tiles.
 *         These take three products of tiles where bf16 proper takes two, so there late layers are in bf16 proper: their errors hardly count (enum where).
 *         Where a processor adds beside its multipliers, by pairs and by seven products of halves for eight (seven_products.h), with the same bits.
 *   int8  weights to -127 .. 127; activations to 0 .. 255, from a zero of their own for each token; both are rotated before. By VNNI (VPDPBUSD), or on tiles with the same bits.
 *         Without these, by AVX2 or AVX-512 (VPMADDUBSW), which adds products in 16 bits: activations to 0 .. 180, and weights so small that the products of four stay below 2^15.
 *         The early layers of wide models are in 16 bits (enum where).
 * Attention's own two products are made as reduced_attention.h says, or in f32.
 *
 * Promise: as kernels.h: a row of a result depends on that row of the input alone, to the bit. */
#ifndef REPRISE_REDUCED_H
#define REPRISE_REDUCED_H

#include <stddef.h>
#include <stdint.h>

#include "../encoder.h"
#include "kernels.h"
#include "reduced_attention.h"

/* Rows of activations as a product reads them. What lies behind a row's width, up to a multiple of the group, must be zero, but for int8. */
struct operand {
    void *values;
    size_t stride;       /* bytes a row takes: operand_row_bytes */
    float *scale, *zero; /* [rows]: x = scale * value + zero; zero is noted in int8 alone, elsewhere it is 0 */
    uint32_t *pair_sums; /* products by pairs, [rows, 2]: what they need to know of a row, for the left outputs of a panel and for the right ones */
    void *room;          /* operand_room: where rows are rotated; products by pairs: where weights are added */
    const float *factors; /* [width]: what a row's numbers are multiplied with before they are rotated: rotation_factors, balanced or not (balance.h). Not owned */
};

/* A linear layer, packed: panels of `panel` outputs, filled up with zeros. */
struct reduced_linear {
    size_t inputs, outputs;
    void *weights; /* weight_bytes; panels [inputs / group, panel, group], unless products are made by pairs (seven_products.h) or on tiles (tile_product.h) */
    float *bias;   /* [outputs], this and the next two filled up to whole panels */
    float *scale;  /* integers, [outputs]: unit of an output's weights */
    float *sums;   /* int8, [outputs]: the sum of an output's weights as they are packed, in these units */
    uint32_t *pair_sums; /* products by pairs, [2, outputs filled up]: what they need to know of an output, for upper rows and for lower ones */
};

/* Which layers: errors of the first ones are what counts. Of what all-mpnet-base-v2 makes of texts to which it is sensitive, those of the first five layers of twelve move an embedding a
 * hundred times as far as the others'. So the first seven of twelve are made with more precision than the rest. Of its 150 most sensitive texts of 5,000, 15 came below a cosine of
 * 0.9999 with all layers in bf16 proper (the least 0.9917), four with the last eight. With the last seven or six one of the 40 worst did in one of six ways to round, and none with five.
 * int8: the first five of twelve are in 16 bits, in wide models. Of 17,000 texts, mostly short ones with emoji, all-mpnet-base-v2 had 13 below 0.995 without that (the least, "30.🇩🇪", 0.973),
 * and none with it. all-MiniLM-L6-v2 had none anyway (the least 0.998). */
enum where { EARLY, LATE };

struct reduced {
    enum precision precision; /* that it is chosen for */
    const char *values;       /* what its operands hold: "int24", "int16", "bf16" or "int8" */
    size_t panel; /* as struct kernels has it */
    size_t rows;  /* rows that one pass over a panel takes: a good number of rows is a multiple */
    size_t tile_rows; /* 0: the values of a row lie side by side; or they lie in tiles of so many rows */
    size_t group;         /* inputs that one lane of an instruction takes at a time */
    size_t (*operand_row_bytes)(size_t width);
    size_t (*operand_room)(size_t width);
    size_t (*weight_bytes)(size_t inputs, size_t outputs);

    size_t parts;   /* of the inputs of wide layers, that early layers multiply one by one: each has units of its own, and sums that may be longer */
    int balanced;   /* rows and weights are balanced (balance.h): 16 bits, whose units go by rows' lengths. int8 goes by the largest numbers, and was not closer to f32 */
    int by_columns; /* the widest activations are best made for as many of their columns at a time as the states have */

    /* The factors of rows and of weights, if nothing is balanced. */
    void (*rotation_factors)(size_t width, float *factors);
    /* Packs weights [outputs, inputs] into memory that is zero; factors [inputs]. 0, or -1: out of memory. */
    int (*pack)(const struct reduced_linear *layer, const float *const *weights, const float *factors);
    /* LINEAR_STORE or LINEAR_ADD. y [rows, outputs], each row `y_stride` floats behind the one before. */
    void (*linear)(const struct reduced_linear *layer, enum linear_then then, size_t rows, const struct operand *x, float *y, size_t y_stride);
    /* y = gelu(x W^T + b), as an operand; scratch [rows, outputs]. LINEAR_ADD: what stands there is added before gelu. */
    void (*linear_gelu)(const struct reduced_linear *layer, enum linear_then then, size_t rows, const struct operand *x, float *scratch, size_t scratch_stride, const struct operand *y);
    /* x [rows, width] as an operand. */
    void (*convert)(size_t rows, size_t width, const float *x, size_t stride, const struct operand *into);
    /* As struct kernels has it, in place, and the result as operands too, each of which takes one of `parts` equal parts of the columns. */
    void (*layer_norm)(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, size_t parts, const struct operand *into);
    struct reduced_attention attention;
};

/* The kernels of early and of late layers for `wanted`, or, where this machine (or what KERNELS allows of it, see kernels.h) lacks the instructions, for the next higher precision: 1.
 * 0: that is f32, nothing is filled in. Which precision it is, the late layers' say: int8's early ones are those of bf16, where there are any. */
int reduced_choose(enum precision wanted, struct reduced chosen[2]);

#endif
