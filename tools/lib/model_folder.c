#include "model_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "model_config.h"
#include "model_weights.h"

/* ---- limits ---- */

/* The most tokens of a text: what the folder says, if the positions allow for it. */
static int set_max_tokens(struct model_folder *model, double limit, struct reason *why)
{
    const size_t most = model->positions - (size_t)(model->padding + 1);
    if (limit != 0 && limit < 3)
        return fail(why, "a text may have %g tokens; 3 are the least", limit);
    model->max_tokens = limit != 0 && limit < (double)most ? (size_t)limit : most;
    return 0;
}

/* Without an architecture there is no limit but that of the tokenizer. */
static int set_max_ids(struct model_folder *model, double limit, struct reason *why)
{
    enum { UNLIMITED = 1 << 20 };
    if (limit != 0 && limit < 3)
        return fail(why, "a text may have %g tokens; 3 are the least", limit);
    model->max_tokens = limit != 0 && limit < UNLIMITED ? (size_t)limit : UNLIMITED;
    return 0;
}

/* ---- opening ---- */

static int read_prompt(struct model_folder *model, const struct model_paths *paths, const char *wanted, struct reason *why)
{
    if (!(model->storage->prompt = model_read_prompt(paths, wanted, why)))
        return -1;
    model->prompt = model->storage->prompt;
    if (!paths->skips_prompt || !*model->prompt)
        return 0;
    int32_t *ids = malloc(model->max_tokens * sizeof *ids);
    if (!ids)
        return fail(why, "out of memory");
    const long count = text_tokenizer_encode(model->tokenizer, model->prompt, strlen(model->prompt), model->max_tokens, ids, why);
    free(ids);
    if (count < 0)
        return -1;
    /* As sentence-transformers counts them: without the last token, if that is a special one. */
    model->skipped = (size_t)count - (count && text_tokenizer_ends_special(model->tokenizer) ? 1 : 0);
    return model->skipped + 2 > model->max_tokens ? fail(why, "the prompt takes %zu of the %zu tokens that a text may have", model->skipped, model->max_tokens) : 0;
}

static int apply_settings(struct model_folder *model, const struct model_settings *settings, struct reason *why)
{
    if (settings->pooling >= 0) {
        if (model->denses && model->dense[0].inputs != model->hidden)
            return fail(why, "POOLING=%s gives %zu numbers, the folder's Dense layer takes %zu", pooling_name((enum pooling)settings->pooling), model->hidden,
                        model->dense[0].inputs);
        model->pooling[0] = (enum pooling)settings->pooling;
        model->poolings = 1;
        if (!model->denses)
            model->dimension = model->hidden;
    }
    if (settings->normalize >= 0)
        model->normalize = settings->normalize ? 2 : 0;
    if (settings->truncate_dim > model->dimension)
        return fail(why, "TRUNCATE_DIM=%zu: embeddings have %zu numbers", settings->truncate_dim, model->dimension);
    if (settings->truncate_dim)
        model->dimension = settings->truncate_dim;
    if (model->normalize == 2 && !settings->truncate_dim)
        model->normalize = 1; /* the same, and so it has the same hash */
    return 0;
}

/* Every id that the tokenizer can give must have a row. */
static int check_vocabulary(const struct model_folder *model, struct reason *why)
{
    const size_t ids = text_tokenizer_ids(model->tokenizer);
    return ids > model->vocabulary ? fail(why, "the tokenizer has ids up to %zu, config.json allows for %zu tokens", ids - 1, model->vocabulary) : 0;
}

/* Ids alone need no architecture, but one that is known limits them. */
static int read_architecture(struct model_folder *model, const struct model_paths *paths, int ids_only, const char *type, double limit, struct reason *why)
{
    if (ids_only && !model_type_is_known(type))
        return set_max_ids(model, limit, why);
    return model_read_config(paths, model, why) < 0 ? -1 : set_max_tokens(model, limit, why);
}

static int open_folder(struct model_folder *model, struct model_paths *paths, const char *path, const struct model_settings *settings, struct reason *why)
{
    struct tokenizer_settings tokenizer;
    double limit;
    const int ids_only = settings->result == MODEL_IDS;
    model->result = settings->result;
    model->half = settings->half && !ids_only;
    if (model_read_modules(path, paths, model, why) < 0 || model_read_tokenizer(paths, &tokenizer, &limit, why) < 0 ||
        read_architecture(model, paths, ids_only, tokenizer.model, limit, why) < 0)
        return -1;
    if (!(model->tokenizer = text_tokenizer_open(paths->transformer, &tokenizer, why)) || read_prompt(model, paths, settings->prompt, why) < 0)
        return -1;
    if (ids_only)
        return 0;
    return check_vocabulary(model, why) < 0 || model_read_dense(paths, model, why) < 0 || apply_settings(model, settings, why) < 0
               ? -1 : model_read_weights(model, paths, why);
}

struct model_folder *model_folder_open(const char *path, const struct model_settings *settings, struct reason *why)
{
    struct model_folder *model = calloc(1, sizeof *model);
    struct model_paths *paths = calloc(1, sizeof *paths);
    int result = -1;
    if (!model || !paths || !(model->storage = calloc(1, sizeof *model->storage)))
        fail(why, "out of memory");
    else
        result = open_folder(model, paths, path, settings, why);
    free(paths);
    if (result == 0)
        return model;
    model_folder_close(model);
    return NULL;
}

void model_folder_close(struct model_folder *model)
{
    if (!model)
        return;
    if (model->storage) {
        model_free_weights(model);
        free(model->storage->prompt);
        free(model->storage);
    }
    text_tokenizer_close(model->tokenizer);
    free(model);
}

/* ---- positions ---- */

void model_positions(const struct model_folder *model, const int32_t *ids, size_t tokens, int32_t *positions)
{
    int32_t next = model->padding + 1;
    for (size_t t = 0; t < tokens; t++)
        positions[t] = model->padding >= 0 && ids[t] == model->padding ? model->padding : next++;
}

/* ---- the hash ---- */

static void hash_number(struct hash_state *state, double number)
{
    hash_add(state, &number, sizeof number);
}

static void hash_weights(const struct weight_files *files, struct hash_state *state)
{
    for (size_t i = 0; i < files->count; i++) {
        size_t count, header_end;
        const uint8_t *bytes = safetensors_bytes(files->parts[i], &count, &header_end);
        hash_number(state, (double)count);
        hash_add(state, bytes, count);
    }
}

static void hash_encoder(const struct model_folder *model, struct hash_state *state)
{
    hash_weights(&model->storage->encoder, state);
    const size_t sizes[] = {model->architecture, model->hidden, model->layers, model->heads, model->intermediate, model->vocabulary, model->positions, model->token_types};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        hash_number(state, (double)sizes[i]);
    hash_number(state, (double)model->epsilon);
    hash_number(state, model->padding);
}

static void hash_head(const struct model_folder *model, struct hash_state *state)
{
    hash_number(state, (double)model->poolings);
    for (size_t i = 0; i < model->poolings; i++)
        hash_add_string(state, pooling_name(model->pooling[i]));
    hash_number(state, (double)model->skipped);
    hash_number(state, (double)model->denses);
    for (size_t i = 0; i < model->denses; i++) {
        hash_weights(&model->storage->dense[i], state);
        hash_number(state, (double)model->dense[i].outputs);
        hash_number(state, model->dense[i].activation);
        hash_number(state, model->dense[i].bias != NULL);
    }
    hash_number(state, model->normalize);
    hash_number(state, (double)model->dimension);
}

void model_folder_hash(const struct model_folder *model, struct hash_state *state)
{
    hash_number(state, model->result);
    hash_number(state, model->half);
    text_tokenizer_hash(model->tokenizer, state);
    hash_number(state, (double)model->max_tokens);
    hash_add_string(state, model->prompt);
    if (model->result != MODEL_IDS)
        hash_encoder(model, state);
    if (model->result == MODEL_EMBEDDINGS)
        hash_head(model, state);
}
