/* The encoder's layers in f32 on a CPU.
 *
 * All rows of a pack go through a linear layer together, only attention looks at each text alone. So that what a step reads was just
 * written and still lies in the second-level cache, queries, keys and values are made for a few heads at a time, and the widest activations for some of
 * their columns. */
#ifndef REPRISE_LAYERS_H
#define REPRISE_LAYERS_H

#include "embedding_products.h"
#include "kernels.h"

struct model_folder;
struct layers;

/* A pack has at most this many rows, unless one text alone has more: enough to use each weight often, few enough for the second-level cache. On AMX tiles more, so that fewer
 * of the rows that they take at a time stay empty. */
enum { PACK_TOKENS = 224, PACK_TOKENS_TILES = 288 };

/* Texts side by side: their tokens are offsets[0] .. offsets[texts] - 1 less offsets[0]. */
struct pack {
    const size_t *offsets;
    size_t texts;
    struct embedded tokens;
};

/* Which rows of the last layer are wanted: those of all tokens, or of each text's first or last one, and then they stand side by side. */
enum rows_wanted { ROWS_ALL, ROWS_FIRST, ROWS_LAST };

/* ---- what layers in reduced precision share with these ---- */

/* Floats from row to row: an odd number of cache lines, so that the rows of a tile do not fall into the same sets of the first-level cache. */
size_t layers_row_stride(size_t width);
/* The largest number of heads that divides them all and whose queries, keys and values stay in the second-level cache; at least one. */
size_t layers_heads_at_once(const struct model_folder *model);
/* Heads `first` and following of a text. */
struct attention layers_attention(const struct model_folder *model, size_t first, size_t heads, size_t tokens, enum rows_wanted wanted);
/* Moves the states of each text's first or last token to the front. */
void layers_keep_wanted(const struct pack *pack, enum rows_wanted wanted, size_t hidden, float *states, size_t stride);

/* ---- the layers in f32 ---- */

/* Packs the weights. NULL with `why`. The model must outlive it. */
struct layers *layers_open(const struct model_folder *model, const struct kernels *kernels, struct reason *why) __attribute__((warn_unused_result));
void layers_close(struct layers *layers); /* NULL is allowed */

/* Runs states [tokens, hidden] of a pack through all layers, in place. 0, or -1 with `why`. */
int layers_run(struct layers *layers, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride, struct reason *why)
    __attribute__((warn_unused_result));

#endif
