/* A sentence encoder's folder as researchers keep it: the architecture (config.json), the weights (model.safetensors), the vocabulary
 * (vocab.txt, tokenizer_config.json) and what sentence-transformers adds (modules.json, sentence_bert_config.json, the pooling's config.json in its old and new key names).
 *
 * Promise: what this opens is computed as sentence-transformers computes it; anything in the folder that would change the result
 * and is not known here is refused with a reason that names the file and the thing. A folder without modules.json gets mean
 * pooling and no normalization, as there. Every shape is checked against the configuration before a pointer is handed out. */
#ifndef REPRISE_MODEL_FOLDER_H
#define REPRISE_MODEL_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "whole_file.h"
#include "wordpiece.h"

enum pooling { POOLING_CLS, POOLING_MAX, POOLING_MEAN, POOLING_MEAN_SQRT_LEN, POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN, POOLING_MODES };

/* The name in sentence-transformers' files ("cls" …); and back, -1 if there is none of that name. */
const char *pooling_name(enum pooling pooling);
int pooling_from_name(const char *name);

struct model_layer {
    const float *query, *key, *value;                /* [hidden, hidden], as PyTorch keeps them: [outputs, inputs] */
    const float *query_bias, *key_bias, *value_bias; /* [hidden] */
    const float *output, *output_bias;               /* [hidden, hidden], [hidden] */
    const float *attention_gain, *attention_bias;    /* [hidden], layer norm */
    const float *up, *up_bias;                       /* [intermediate, hidden], [intermediate] */
    const float *down, *down_bias;                   /* [hidden, intermediate], [hidden] */
    const float *output_gain, *output_norm_bias;     /* [hidden], layer norm */
};

struct model_folder {
    size_t hidden, layers, heads, intermediate, vocabulary, positions, token_types;
    float epsilon;                            /* of the layer norms */
    const float *words;                       /* [vocabulary, hidden] */
    const float *position_rows;               /* [positions, hidden] */
    const float *types;                       /* [token_types, hidden] */
    const float *embedding_gain, *embedding_bias; /* [hidden] */
    struct model_layer *layer;                /* [layers] */

    size_t max_tokens;                        /* of a text, special tokens included: longer ones are cut */
    enum pooling pooling[POOLING_MODES];      /* more than one: side by side in the embedding */
    size_t poolings;
    int normalize;                            /* to length 1 */

    struct wordpiece_settings tokenizer;
    struct whole_file vocabulary_text;
    struct model_storage *storage;            /* mapped weights, copies, texts */
};

/* Replaces what the folder says. */
struct model_overrides { int pooling, normalize; }; /* -1: as the folder says */
#define OVERRIDES_NONE ((struct model_overrides){-1, -1})

/* NULL with `why`, which names the file in the folder. */
struct model_folder *model_folder_open(const char *path, struct model_overrides overrides, struct reason *why) __attribute__((warn_unused_result));
void model_folder_close(struct model_folder *model); /* NULL is allowed */

/* Adds everything in the folder that decides an embedding (weights, vocabulary, settings; no paths) to a hash. */
struct hash_state;
void model_folder_hash(const struct model_folder *model, struct hash_state *state);

#endif
