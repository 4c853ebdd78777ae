#include "model_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "model_config.h"
#include "safetensors.h"

struct model_storage {
    struct safetensors *weights;
    void **copies; /* of tensors that a foreign writer left unaligned */
    size_t copy_count;
};

/* ---- weights ---- */

struct weight_reader {
    struct model_folder *model;
    const char *prefix; /* "", or what a saved training model puts in front of every name */
    struct reason *why;
};

/* Finds a tensor of this shape; an unaligned one is copied. NULL with the reader's reason. */
static const float *find_weights(struct weight_reader *reader, size_t rows, size_t columns, const char *name)
{
    struct model_storage *storage = reader->model->storage;
    const struct tensor *tensor = safetensors_find(storage->weights, name);
    if (!tensor) {
        fail(reader->why, "model.safetensors: there is no tensor %s", name);
        return NULL;
    }
    int rank = rows ? 2 : 1;
    if (tensor->rank != rank || tensor->shape[rank - 1] != columns || (rows && tensor->shape[0] != rows)) {
        char wanted[64];
        if (rows)
            snprintf(wanted, sizeof wanted, "%zu, %zu", rows, columns);
        else
            snprintf(wanted, sizeof wanted, "%zu", columns);
        fail(reader->why, "model.safetensors: tensor %s: by config.json its shape would be [%s]", name, wanted);
        return NULL;
    }
    if (tensor->type != TENSOR_F32) {
        fail(reader->why, "model.safetensors: tensor %s is of type %s; F32 is what is read", name, tensor_type_name(tensor->type));
        return NULL;
    }
    if (tensor->aligned)
        return tensor->data;
    void **copies = realloc(storage->copies, (storage->copy_count + 1) * sizeof *copies);
    void *copy = copies ? malloc(tensor->bytes) : NULL;
    if (copies)
        storage->copies = copies;
    if (!copy) {
        fail(reader->why, "out of memory");
        return NULL;
    }
    storage->copies[storage->copy_count++] = copy;
    return memcpy(copy, tensor->data, tensor->bytes);
}

static const float *embedding_weights(struct weight_reader *reader, size_t rows, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%sembeddings.%s", reader->prefix, name);
    return find_weights(reader, rows, reader->model->hidden, full);
}

static const float *layer_weights(struct weight_reader *reader, size_t layer, size_t rows, size_t columns, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%sencoder.layer.%zu.%s", reader->prefix, layer, name);
    return find_weights(reader, rows, columns, full);
}

static int read_layer(struct weight_reader *reader, size_t index)
{
    const size_t hidden = reader->model->hidden, wide = reader->model->intermediate;
    struct model_layer *layer = &reader->model->layer[index];
    const struct { const float **into; size_t rows, columns; const char *name; } parts[] = {
        {&layer->query, hidden, hidden, "attention.self.query.weight"},
        {&layer->query_bias, 0, hidden, "attention.self.query.bias"},
        {&layer->key, hidden, hidden, "attention.self.key.weight"},
        {&layer->key_bias, 0, hidden, "attention.self.key.bias"},
        {&layer->value, hidden, hidden, "attention.self.value.weight"},
        {&layer->value_bias, 0, hidden, "attention.self.value.bias"},
        {&layer->output, hidden, hidden, "attention.output.dense.weight"},
        {&layer->output_bias, 0, hidden, "attention.output.dense.bias"},
        {&layer->attention_gain, 0, hidden, "attention.output.LayerNorm.weight"},
        {&layer->attention_bias, 0, hidden, "attention.output.LayerNorm.bias"},
        {&layer->up, wide, hidden, "intermediate.dense.weight"},
        {&layer->up_bias, 0, wide, "intermediate.dense.bias"},
        {&layer->down, hidden, wide, "output.dense.weight"},
        {&layer->down_bias, 0, hidden, "output.dense.bias"},
        {&layer->output_gain, 0, hidden, "output.LayerNorm.weight"},
        {&layer->output_norm_bias, 0, hidden, "output.LayerNorm.bias"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!(*parts[i].into = layer_weights(reader, index, parts[i].rows, parts[i].columns, parts[i].name)))
            return -1;
    return 0;
}

static int read_weights(struct model_folder *model, struct reason *why)
{
    static const char *const prefixes[] = {"", "bert.", "0.auto_model.", "model."};
    struct weight_reader reader = {.model = model, .why = why};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !reader.prefix; i++) {
        char name[256];
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (safetensors_find(model->storage->weights, name))
            reader.prefix = prefixes[i];
    }
    if (!reader.prefix)
        return fail(why, "model.safetensors: there is no tensor embeddings.word_embeddings.weight, so this is no BERT encoder");
    if (!(model->words = embedding_weights(&reader, model->vocabulary, "word_embeddings.weight")) ||
        !(model->position_rows = embedding_weights(&reader, model->positions, "position_embeddings.weight")) ||
        !(model->types = embedding_weights(&reader, model->token_types, "token_type_embeddings.weight")) ||
        !(model->embedding_gain = embedding_weights(&reader, 0, "LayerNorm.weight")) ||
        !(model->embedding_bias = embedding_weights(&reader, 0, "LayerNorm.bias")))
        return -1;
    if (!(model->layer = calloc(model->layers, sizeof *model->layer)))
        return fail(why, "out of memory");
    for (size_t i = 0; i < model->layers; i++)
        if (read_layer(&reader, i) < 0)
            return -1;
    return 0;
}

/* ---- the folder ---- */

static int open_weights(struct model_folder *model, const struct model_paths *paths, struct reason *why)
{
    char path[MODEL_PATH];
    struct reason inner;
    if (model_file(paths->transformer, "model.safetensors", path, why) < 0)
        return -1;
    model->storage->weights = safetensors_open(path, &inner);
    if (model->storage->weights)
        return 0;
    int absent = !model_has_file(paths->transformer, "model.safetensors");
    if (absent && model_has_file(paths->transformer, "model.safetensors.index.json"))
        return fail(why, "the weights are split over several files (model.safetensors.index.json); one model.safetensors is what is read");
    if (absent && model_has_file(paths->transformer, "pytorch_model.bin"))
        return fail(why, "the weights are in pytorch_model.bin; model.safetensors is what is read");
    return fail(why, "model.safetensors: %s", inner.text);
}

static int read_vocabulary(struct model_folder *model, const struct model_paths *paths, struct reason *why)
{
    char path[MODEL_PATH];
    struct reason inner;
    if (model_file(paths->transformer, "vocab.txt", path, why) < 0)
        return -1;
    if (whole_file_read(path, &model->vocabulary_text, &inner) < 0)
        return fail(why, "vocab.txt: %s", inner.text);
    return 0;
}

struct model_folder *model_folder_open(const char *path, struct model_overrides overrides, struct reason *why)
{
    struct model_folder *model = calloc(1, sizeof *model);
    struct model_paths *paths = calloc(1, sizeof *paths);
    if (!model || !paths || !(model->storage = calloc(1, sizeof *model->storage))) {
        fail(why, "out of memory");
    } else if (model_read_modules(path, paths, model, why) == 0 && model_read_config(paths, model, why) == 0 &&
               model_read_tokenizer(paths, model, why) == 0 && read_vocabulary(model, paths, why) == 0 && open_weights(model, paths, why) == 0 &&
               read_weights(model, why) == 0) {
        if (overrides.pooling >= 0) {
            model->pooling[0] = (enum pooling)overrides.pooling;
            model->poolings = 1;
        }
        if (overrides.normalize >= 0)
            model->normalize = overrides.normalize;
        free(paths);
        return model;
    }
    free(paths);
    model_folder_close(model);
    return NULL;
}

void model_folder_close(struct model_folder *model)
{
    if (!model)
        return;
    if (model->storage) {
        safetensors_close(model->storage->weights);
        for (size_t i = 0; i < model->storage->copy_count; i++)
            free(model->storage->copies[i]);
        free(model->storage->copies);
        free(model->storage);
    }
    whole_file_free(&model->vocabulary_text);
    free(model->layer);
    free(model);
}

static void hash_number(struct hash_state *state, double number)
{
    hash_add(state, &number, sizeof number);
}

void model_folder_hash(const struct model_folder *model, struct hash_state *state)
{
    size_t count, header_end;
    const uint8_t *bytes = safetensors_bytes(model->storage->weights, &count, &header_end);
    hash_add(state, bytes, count);
    hash_add(state, model->vocabulary_text.bytes, model->vocabulary_text.count);
    const size_t sizes[] = {count, model->vocabulary_text.count, model->hidden, model->layers, model->heads, model->intermediate,
                            model->vocabulary, model->positions, model->token_types, model->max_tokens, model->poolings};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        hash_number(state, (double)sizes[i]);
    hash_number(state, (double)model->epsilon);
    for (size_t i = 0; i < model->poolings; i++)
        hash_add_string(state, pooling_name(model->pooling[i]));
    hash_number(state, model->normalize);
    const struct wordpiece_settings *tokenizer = &model->tokenizer;
    hash_number(state, tokenizer->lower_case);
    hash_number(state, tokenizer->strip_accents);
    hash_number(state, tokenizer->split_chinese);
    hash_add_string(state, tokenizer->unknown.text);
    hash_add_string(state, tokenizer->first.text);
    hash_add_string(state, tokenizer->last.text);
    hash_number(state, (double)tokenizer->added_count);
    for (size_t i = 0; i < tokenizer->added_count; i++)
        hash_add_string(state, tokenizer->added[i].text);
}
