/* The first layer's queries, keys and values, without a product per token. What goes into that layer is
 *   x = (e - mean(e)) * factor * gain + bias,  e = word + (type + position),  factor = 1 / sqrt(variance(e) + epsilon)
 * and the layer is linear, so, c standing for "less its mean, times gain",
 *   W x + b = factor * (W c(word) + W c(type + position)) + (W bias + b).
 * The two products depend on the word alone and on the position alone: each is made once and kept, and a token costs a sum of rows.
 *
 * Promise: what is kept is bounded (PRODUCTS_BYTES). A token's result has the same bits whatever is kept already, for there is no other way to it: what is not
 * kept is made, and made by products whose rows do not depend on each other. */
#ifndef REPRISE_EMBEDDING_PRODUCTS_H
#define REPRISE_EMBEDDING_PRODUCTS_H

#include <stdint.h>

#include "kernels.h"

struct model_folder;
struct embedding_products;

/* Tokens as the layers get them beside their states. */
struct embedded {
    const int32_t *ids, *places; /* [tokens]: the word's row, and the position's */
    const float *factors;        /* [tokens]: the layer norm's 1 / sqrt(variance + epsilon) */
};

/* How the layer multiplies: y [rows, outputs] = W x, plus b where `biased`; x [rows, hidden], each row `stride` floats behind the one before. */
struct first_layer {
    void *layers;
    void (*multiply)(void *layers, int biased, size_t rows, const float *x, size_t stride, float *y);
    size_t outputs; /* queries, keys and values of all heads, in any order */
};

/* *products is NULL where a text may be so long that its words and positions are more than are kept: then products are made token by token. 0, or -1 with `why`. */
int embedding_products_open(struct embedding_products **products, const struct model_folder *model, const struct kernels *kernels, const struct first_layer *layer,
                            struct reason *why) __attribute__((warn_unused_result));
void embedding_products_close(struct embedding_products *products); /* NULL is allowed */

/* Makes what is missing for a pack of tokens. What it made for an earlier one may be gone after it. */
void embedding_products_make(struct embedding_products *products, const struct embedded *tokens, size_t count);

/* y [tokens, columns]: outputs `first` and following of the pack's tokens `from` and following. */
void embedding_products_sum(const struct embedding_products *products, const struct embedded *tokens, size_t count, size_t first, size_t columns, float *y, size_t stride);

#endif
