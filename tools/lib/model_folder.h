/* A sentence encoder's folder as researchers keep it: the architecture (config.json), the weights (model.safetensors, or its parts by model.safetensors.index.json),
 * the tokenizer (tokenizer.json, vocab.txt …, see text_tokenizer.h) and what sentence-transformers adds (modules.json, sentence_bert_config.json,
 * config_sentence_transformers.json, the configurations of pooling and dense layers, old and new key names).
 *
 * Promise: what this opens is computed as sentence-transformers computes it in f32; anything in the folder that would change the result
 * and is not known here is refused with a reason that names the file and the thing. A folder without modules.json gets mean
 * pooling and no normalization, as there. Every shape is checked against the configuration before a pointer is handed out.
 *
 * How weights are handed out: as f32. Where the file holds f32, a pointer goes into the mapped file, so processes share it; f16 and bf16 are converted, vectors at once,
 * a layer's matrices by model_layer_take, and rows of the word embeddings by model_words. So nothing but the layer at work is in memory twice. */
#ifndef REPRISE_MODEL_FOLDER_H
#define REPRISE_MODEL_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "half_floats.h"
#include "message.h"

enum architecture {
    ARCHITECTURE_BERT,       /* states = norm(word + type 0 + position) */
    ARCHITECTURE_DISTILBERT, /* the same without types */
    ARCHITECTURE_ROBERTA,    /* RoBERTa, XLM-RoBERTa, CamemBERT: BERT whose positions begin behind the padding token's (model_positions) */
    ARCHITECTURE_MPNET,      /* no types, positions as RoBERTa has them, a bias of the attention by distance */
    ARCHITECTURES
};

const char *architecture_name(enum architecture architecture);

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

enum activation { ACTIVATION_IDENTITY, ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_GELU, ACTIVATION_SIGMOID, ACTIVATIONS };

/* A dense layer behind the pooling: y = activation(x W^T + b). */
struct model_dense {
    size_t inputs, outputs;
    const float *weights; /* [outputs, inputs] */
    const float *bias;    /* [outputs]; NULL: none */
    enum activation activation;
};

#define MODEL_DENSE 8 /* most dense layers */

/* Of a text: its embedding, the last layer's states of its tokens, its token ids. */
enum model_result { MODEL_EMBEDDINGS, MODEL_STATES, MODEL_IDS };

struct model_folder {
    enum architecture architecture;
    size_t hidden, layers, heads, intermediate, vocabulary, positions, token_types;
    float epsilon;                            /* of the layer norms */
    const float *position_rows;               /* [positions, hidden] */
    const float *types;                       /* [token_types, hidden], the first row is added to every token; NULL: there are none */
    const float *embedding_gain, *embedding_bias; /* [hidden] */
    struct model_layer *layer;                /* [layers] */
    enum float_type stored;                   /* what the file holds all the layers' matrices in; f32 where they differ */
    /* NULL, or [heads, 2 * max_tokens - 1]: before the softmax, scores / sqrt(head size) of query q and key k in head h have this added:
     * distance_bias[h * (2 * max_tokens - 1) + max_tokens - 1 + k - q]; so what a row of scores needs lies side by side. The same in every layer. */
    const float *distance_bias;
    int32_t padding;                          /* RoBERTa, MPNet: the padding token's id, see model_positions; else -1 */

    size_t max_tokens;                        /* of a text, special tokens included: longer ones are cut */
    enum pooling pooling[POOLING_MODES];      /* more than one: side by side in the embedding */
    size_t poolings;
    size_t skipped;                           /* tokens at a text's begin that pooling leaves out (those of the prompt, where the folder says so) */
    struct model_dense dense[MODEL_DENSE];    /* one behind the other, on what pooling gives */
    size_t denses;
    int normalize;                            /* to length 1, behind the dense layers: 1: before an embedding is cut; 2: behind that */
    size_t dimension;                         /* of an embedding: the first so many numbers are kept */

    enum model_result result;                 /* what is made of a text */
    int half;                                 /* stored in f16 */
    const char *prompt;                       /* put before every text; "" for none */
    struct text_tokenizer *tokenizer;
    struct model_storage *storage;            /* mapped weights, copies, texts */
};

/* What a folder is opened for, and what replaces what it says. */
struct model_settings {
    int pooling, normalize; /* -1: as the folder says. normalize 1: behind the cut to truncate_dim */
    size_t truncate_dim;    /* numbers of an embedding that are kept; 0: all */
    const char *prompt;     /* the name of one of the folder's prompts, or a prompt; NULL: as the folder says */
    enum model_result result; /* MODEL_IDS: weights and architecture are not looked at, any folder with a tokenizer will do */
    int half;               /* store embeddings or states in f16 */
};
#define MODEL_SETTINGS_NONE ((struct model_settings){.pooling = -1, .normalize = -1})

/* NULL with `why`, which names the file in the folder. */
struct model_folder *model_folder_open(const char *path, const struct model_settings *settings, struct reason *why) __attribute__((warn_unused_result));
void model_folder_close(struct model_folder *model); /* NULL is allowed */

/* Must be called before the matrices of model->layer[index] are read (the six whose comment has two extents; the vectors are always there). 0, or -1 with `why`. */
int model_layer_take(const struct model_folder *model, size_t index, struct reason *why) __attribute__((warn_unused_result));
/* Gives back the memory of a layer's matrices, which are not read any more unless taken again. */
void model_layer_drop(const struct model_folder *model, size_t index);

/* Rows first .. first + count - 1 of the word embeddings [vocabulary, hidden]: where they lie in the file, or converted into scratch [count, hidden]. */
const float *model_words(const struct model_folder *model, size_t first, size_t count, float *scratch);

/* The rows of position_rows that a text's tokens get: 0, 1, 2 …; with a padding token those behind it, tokens that are themselves padding not counted. positions [tokens] */
void model_positions(const struct model_folder *model, const int32_t *ids, size_t tokens, int32_t *positions);

/* Adds what in the folder decides a result (weights, tokenizer, settings; no paths) to a hash. */
struct hash_state;
void model_folder_hash(const struct model_folder *model, struct hash_state *state);

#endif
