/* What the layers in f32 (layers.h) and those in reduced precision (reduced_layers.h) have in common. */
#ifndef REPRISE_LAYER_PARTS_H
#define REPRISE_LAYER_PARTS_H

#include "embedding_products.h"
#include "kernels.h"

struct model_folder;

enum { CACHE_LINE = 64 };

/* A pack has at most this many rows, unless one text alone has more: enough to use each weight often, few enough for the second-level cache. On AMX tiles more, so that fewer
 * of the rows that they take at a time stay empty; and in wide models more again, whose weights lie farther away than tiles are fast. */
enum { PACK_TOKENS = 224, PACK_TOKENS_TILES = 288, PACK_TOKENS_WIDE = 576, WIDE_MODEL = 512 /* columns of states; more is wide */ };

/* Texts side by side: their tokens are offsets[0] .. offsets[texts] - 1 less offsets[0]. */
struct pack {
    const size_t *offsets;
    size_t texts;
    struct embedded tokens;
};

/* Which rows of the last layer are wanted: those of all tokens, or of each text's first or last one, and then they stand side by side. */
enum rows_wanted { ROWS_ALL, ROWS_FIRST, ROWS_LAST };

/* Floats from row to row: an odd number of cache lines, so that the rows of a tile do not fall into the same sets of the first-level cache. */
size_t layers_row_stride(size_t width);
/* The largest number of heads that divides them all and whose queries, keys and values stay in the second-level cache; at least one. */
size_t layers_heads_at_once(const struct model_folder *model);

/* Attention of a group of heads: queries, keys and values of a pack's tokens, and where the context of all heads goes, each row so many floats behind the one before. */
struct attending {
    void (*attention)(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch); /* as struct kernels has it */
    const float *qkv;
    float *context, *scratch;
    size_t qkv_stride, context_stride;
};
/* The context of heads `first` and following, for every token or for one of each text, whose contexts then stand side by side. */
void layers_attend(const struct model_folder *model, const struct attending *attending, size_t first, size_t heads, const struct pack *pack, enum rows_wanted wanted);

/* Moves the states of each text's first or last token to the front. */
void layers_keep_wanted(const struct pack *pack, enum rows_wanted wanted, size_t hidden, float *states, size_t stride);

/* Zeros, from a cache line's beginning on; the caller frees them. NULL: out of memory. */
void *layers_buffer(size_t bytes);
/* The same for packed weights, to be given back by munmap. NULL with `why`. */
void *layers_map_weights(size_t bytes, struct reason *why);

#endif
