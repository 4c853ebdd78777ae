/* The kernels of the encoder on a GPU, by the names under which C calls them. Each has a plain reference beside it (reference.h), and is compared
 * with it over random ragged shapes: on a device by `make test-gpu`, and on any computer with the same source compiled for the host (tests/shim).
 *
 * Texts are packed one behind the other, without padding. What a launch works on stands in device memory (struct batch), so a launch depends on its
 * class of sizes alone and can be replayed as part of a graph. Blocks behind the end of a batch do nothing; rows behind it keep what they held.
 *
 * Promise: what is computed for a text depends on that text alone, to the bit: its rows are reduced in an order that its own length decides. */
#ifndef REPRISE_CUDA_KERNELS_H
#define REPRISE_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum element { ELEMENT_F32, ELEMENT_F16, ELEMENT_BF16 }; /* of weights and activations */

enum { TILE_QUERIES = 64 }; /* rows of a text that one block of attention takes */

/* TILE_QUERIES rows of one text, fewer at its end. */
struct tile {
    int32_t first;  /* row where the text begins */
    int32_t tokens; /* of the text */
    int32_t query;  /* first row of the tile within the text */
    int32_t text;
};

enum batch_count { BATCH_TOKENS, BATCH_TEXTS, BATCH_TILES, BATCH_COUNTS = 4 };

/* One batch, in device memory. */
struct batch {
    const int32_t *counts;    /* [BATCH_COUNTS] */
    const struct tile *tiles; /* [tiles] */
    const int32_t *ids;       /* [tokens] */
    const int32_t *positions; /* [tokens]: rows of the table of positions */
    const int32_t *offsets;   /* [texts + 1]: text i has rows offsets[i] .. offsets[i + 1] */
};

/* How large a launch is: at least what the batch holds. */
struct launch { int rows, texts, tiles; cudaStream_t stream; };

struct layer_norm { const float *gain, *bias; float epsilon; }; /* [hidden] */

enum { HIDDEN_UNIT = 8, HIDDEN_MOST = 4096 }; /* widths of a row: multiples of the one, up to the other */

/* states [rows, hidden] = layer norm of word + position + type. Tables [.., hidden] in the element's type; types may be NULL. */
struct embedding_tables { const void *words, *positions, *types; };
cudaError_t cuda_embed(enum element element, struct launch launch, struct batch batch, int hidden, struct embedding_tables tables, struct layer_norm norm,
                       void *states) __attribute__((warn_unused_result));

/* states [rows, hidden] = layer norm of states + delta. */
cudaError_t cuda_add_norm(enum element element, struct launch launch, struct batch batch, int hidden, void *states, const void *delta,
                          struct layer_norm norm) __attribute__((warn_unused_result));

/* x [rows, width] = gelu(x), by the error function, in place. */
cudaError_t cuda_gelu(enum element element, struct launch launch, struct batch batch, int width, void *x) __attribute__((warn_unused_result));

/* context [rows, heads * head_size] = softmax(queries keys^T / sqrt(head_size) + bias) values, within each text. qkv [rows, 3 * heads * head_size]:
 * queries, keys, values side by side. head_size is 32, 64, 96 or 128. distance_bias [heads, 2 * longest - 1] or NULL: what is
 * added for a key `d` tokens behind its query stands at [head, d + longest - 1]; no text is longer than `longest`.
 * tensor_cores: the way of code for sm_80 and later (cuda_code_for), for 16-bit elements; else multiply-adds in f32. */
struct attention_shape { int heads, head_size; const float *distance_bias; int longest; int tensor_cores; };
cudaError_t cuda_attention(enum element element, struct launch launch, struct batch batch, struct attention_shape shape, const void *qkv, void *context)
    __attribute__((warn_unused_result));

/* pooled [texts, poolings * hidden], f32: the poolings side by side. A text's first `skipped` tokens are left out, but never its last one; a weighted mean weighs
 * a token by its place in the text, from 1. */
enum pool_mode { POOL_CLS, POOL_MAX, POOL_MEAN, POOL_MEAN_SQRT_LEN, POOL_WEIGHTED_MEAN, POOL_LAST_TOKEN, POOL_MODES };
struct poolings { int count, mode[POOL_MODES], skipped; };
cudaError_t cuda_pool(enum element element, struct launch launch, struct batch batch, int hidden, const void *states, struct poolings poolings, float *pooled)
    __attribute__((warn_unused_result));

/* y [texts, outputs] = activation(x weights^T + bias), all f32; bias may be NULL. */
enum dense_activation { DENSE_IDENTITY, DENSE_TANH, DENSE_RELU, DENSE_GELU, DENSE_SIGMOID };
struct dense { int inputs, outputs; const float *weights, *bias; enum dense_activation activation; }; /* [outputs, inputs], [outputs] */
cudaError_t cuda_dense(struct launch launch, struct batch batch, struct dense dense, const float *x, float *y) __attribute__((warn_unused_result));

/* The first `some` numbers of every row of x [texts, width] to length 1, the others by the same factor; f32, in place. */
cudaError_t cuda_normalize(struct launch launch, struct batch batch, int width, int some, float *x) __attribute__((warn_unused_result));

/* to [count] in the element's type, from f32. */
cudaError_t cuda_convert(enum element element, cudaStream_t stream, size_t count, const float *from, void *to) __attribute__((warn_unused_result));

int cuda_head_size_known(int head_size);
/* For which compute capability, times ten, the code is that runs on the current device, which is of `capability`: less than that where the library was not built for it. An error:
 * there is none that runs there. */
cudaError_t cuda_code_for(int capability, int *code) __attribute__((warn_unused_result));
/* The least compute capability, times ten, that the library has code for. */
int cuda_least_capability(void);

static inline size_t element_size(enum element element)
{
    return element == ELEMENT_F32 ? 4 : 2;
}

#ifdef __cplusplus
}
#endif
#endif
