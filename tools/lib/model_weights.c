#include "model_weights.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "grow.h"
#include "half_floats.h"

enum { MATRICES = 6 };

/* A matrix of a layer: where its pointer stands, its tensor, and the floats that it was converted to. */
struct stored_matrix { const float **into; const struct tensor *tensor; float *floats; };

struct layer_store { struct stored_matrix matrix[MATRICES]; };

/* ---- a tensor as floats ---- */

static int is_direct(const struct tensor *tensor)
{
    return tensor->type == TENSOR_F32 && tensor->aligned;
}

static void convert(const struct tensor *tensor, size_t first, size_t count, float *into)
{
    const char *from = (const char *)tensor->data + first * tensor_type_size(tensor->type);
    if (tensor->type == TENSOR_F16)
        floats_from_f16(from, count, into);
    else if (tensor->type == TENSOR_BF16)
        floats_from_bf16(from, count, into);
    else
        memcpy(into, from, count * sizeof *into);
}

static size_t element_count(const struct tensor *tensor)
{
    return tensor->bytes / tensor_type_size(tensor->type);
}

/* ---- finding tensors ---- */

struct weight_reader {
    struct model_folder *model;
    const struct weight_files *files;
    const char *where;  /* "model.safetensors" */
    const char *prefix; /* "", or what a saved training model puts in front of every name */
    struct reason *why;
};

/* Old checkpoints call a layer norm's weight gamma and its bias beta. */
static const struct tensor *find_by_old_name(const struct weight_files *files, const char *name)
{
    static const struct { const char *end, *old; } ends[] = {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}};
    char old[256];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t length = strlen(name), end = strlen(ends[i].end);
        if (length >= end && strcmp(name + length - end, ends[i].end) == 0) {
            snprintf(old, sizeof old, "%.*s%s", (int)(length - end), name, ends[i].old);
            return weight_files_find(files, old);
        }
    }
    return NULL;
}

/* Finds a tensor [rows, columns], or [columns] for rows 0. NULL with the reader's reason. */
static const struct tensor *find_tensor(const struct weight_reader *reader, size_t rows, size_t columns, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", reader->prefix, name);
    const struct tensor *tensor = weight_files_find(reader->files, full);
    if (!tensor && !(tensor = find_by_old_name(reader->files, full))) {
        fail(reader->why, "%s: there is no tensor %s", reader->where, full);
        return NULL;
    }
    const int rank = rows ? 2 : 1;
    if (tensor->rank != rank || tensor->shape[rank - 1] != columns || (rows && tensor->shape[0] != rows)) {
        char wanted[64];
        if (rows)
            snprintf(wanted, sizeof wanted, "%zu, %zu", rows, columns);
        else
            snprintf(wanted, sizeof wanted, "%zu", columns);
        fail(reader->why, "%s: tensor %s: by config.json its shape would be [%s]", reader->where, full, wanted);
        return NULL;
    }
    if (tensor->type != TENSOR_F32 && tensor->type != TENSOR_F16 && tensor->type != TENSOR_BF16) {
        fail(reader->why, "%s: tensor %s is of type %s; F32, F16 and BF16 are what is read", reader->where, full, tensor_type_name(tensor->type));
        return NULL;
    }
    return tensor;
}

/* The tensor as f32, until the model is closed. NULL with the reader's reason. */
static const float *find_floats(const struct weight_reader *reader, size_t rows, size_t columns, const char *name)
{
    struct model_storage *storage = reader->model->storage;
    const struct tensor *tensor = find_tensor(reader, rows, columns, name);
    if (!tensor || is_direct(tensor))
        return tensor ? tensor->data : NULL;
    const size_t count = element_count(tensor);
    float *copy = malloc(count * sizeof *copy + 1);
    if (!copy || GROW(storage->copies, storage->copy_capacity, storage->copy_count + 1, reader->why) < 0) {
        free(copy);
        fail(reader->why, "out of memory");
        return NULL;
    }
    storage->copies[storage->copy_count++] = copy;
    convert(tensor, 0, count, copy);
    return copy;
}

/* ---- layers: the names by architecture ---- */

enum part { QUERY, KEY, VALUE, OUTPUT, UP, DOWN, ATTENTION_NORM, OUTPUT_NORM, PARTS };

static const char *const bert_names[PARTS] = {
    [QUERY] = "attention.self.query", [KEY] = "attention.self.key", [VALUE] = "attention.self.value", [OUTPUT] = "attention.output.dense",
    [UP] = "intermediate.dense", [DOWN] = "output.dense", [ATTENTION_NORM] = "attention.output.LayerNorm", [OUTPUT_NORM] = "output.LayerNorm",
};
static const char *const distilbert_names[PARTS] = {
    [QUERY] = "attention.q_lin", [KEY] = "attention.k_lin", [VALUE] = "attention.v_lin", [OUTPUT] = "attention.out_lin",
    [UP] = "ffn.lin1", [DOWN] = "ffn.lin2", [ATTENTION_NORM] = "sa_layer_norm", [OUTPUT_NORM] = "output_layer_norm",
};
static const char *const mpnet_names[PARTS] = {
    [QUERY] = "attention.attn.q", [KEY] = "attention.attn.k", [VALUE] = "attention.attn.v", [OUTPUT] = "attention.attn.o",
    [UP] = "intermediate.dense", [DOWN] = "output.dense", [ATTENTION_NORM] = "attention.LayerNorm", [OUTPUT_NORM] = "output.LayerNorm",
};

static void name_part(const struct model_folder *model, size_t layer, enum part part, const char *what, char name[256])
{
    const int distil = model->architecture == ARCHITECTURE_DISTILBERT, mpnet = model->architecture == ARCHITECTURE_MPNET;
    const char *const *names = distil ? distilbert_names : mpnet ? mpnet_names : bert_names;
    snprintf(name, 256, "%s.layer.%zu.%s.%s", distil ? "transformer" : "encoder", layer, names[part], what);
}

static int read_matrix(const struct weight_reader *reader, size_t layer, enum part part, size_t rows, size_t columns, const float **into)
{
    char name[256];
    name_part(reader->model, layer, part, "weight", name);
    const struct tensor *tensor = find_tensor(reader, rows, columns, name);
    if (!tensor)
        return -1;
    reader->model->storage->layers[layer].matrix[part] = (struct stored_matrix){into, tensor, NULL};
    *into = is_direct(tensor) ? tensor->data : NULL;
    return 0;
}

static int read_vector(const struct weight_reader *reader, size_t layer, enum part part, const char *what, size_t columns, const float **into)
{
    char name[256];
    name_part(reader->model, layer, part, what, name);
    return (*into = find_floats(reader, 0, columns, name)) ? 0 : -1;
}

static int read_layer(const struct weight_reader *reader, size_t index)
{
    const size_t hidden = reader->model->hidden, wide = reader->model->intermediate;
    struct model_layer *layer = &reader->model->layer[index];
    const struct { enum part part; size_t rows, columns; const float **weights, **bias; } linear[] = {
        {QUERY, hidden, hidden, &layer->query, &layer->query_bias},    {KEY, hidden, hidden, &layer->key, &layer->key_bias},
        {VALUE, hidden, hidden, &layer->value, &layer->value_bias},    {OUTPUT, hidden, hidden, &layer->output, &layer->output_bias},
        {UP, wide, hidden, &layer->up, &layer->up_bias},               {DOWN, hidden, wide, &layer->down, &layer->down_bias},
    };
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++)
        if (read_matrix(reader, index, linear[i].part, linear[i].rows, linear[i].columns, linear[i].weights) < 0 ||
            read_vector(reader, index, linear[i].part, "bias", linear[i].rows, linear[i].bias) < 0)
            return -1;
    return read_vector(reader, index, ATTENTION_NORM, "weight", hidden, &layer->attention_gain) < 0 ||
                   read_vector(reader, index, ATTENTION_NORM, "bias", hidden, &layer->attention_bias) < 0 ||
                   read_vector(reader, index, OUTPUT_NORM, "weight", hidden, &layer->output_gain) < 0 ||
                   read_vector(reader, index, OUTPUT_NORM, "bias", hidden, &layer->output_norm_bias) < 0
               ? -1 : 0;
}

/* The type of all matrices of the layers, or f32. */
static enum float_type common_type(const struct model_folder *model)
{
    const enum tensor_type first = model->storage->layers[0].matrix[QUERY].tensor->type;
    for (size_t i = 0; i < model->layers; i++)
        for (size_t j = 0; j < MATRICES; j++)
            if (model->storage->layers[i].matrix[j].tensor->type != first)
                return FLOATS_F32;
    return first == TENSOR_F16 ? FLOATS_F16 : first == TENSOR_BF16 ? FLOATS_BF16 : FLOATS_F32;
}

int model_layer_take(const struct model_folder *model, size_t index, struct reason *why)
{
    struct layer_store *store = &model->storage->layers[index];
    for (int i = 0; i < MATRICES; i++) {
        struct stored_matrix *matrix = &store->matrix[i];
        if (*matrix->into)
            continue;
        const size_t count = element_count(matrix->tensor);
        if (!(matrix->floats = malloc(count * sizeof *matrix->floats)))
            return fail(why, "out of memory for %zu weights", count);
        convert(matrix->tensor, 0, count, matrix->floats);
        *matrix->into = matrix->floats;
    }
    return 0;
}

/* The pages that hold nothing but this tensor; they are the file's, and come back from there if they are read again. */
static void forget_pages(const struct tensor *tensor)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)tensor->data;
    const uintptr_t first = (begin + page - 1) / page * page, last = (begin + tensor->bytes) / page * page;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}

void model_layer_drop(const struct model_folder *model, size_t index)
{
    struct layer_store *store = &model->storage->layers[index];
    for (int i = 0; i < MATRICES; i++) {
        struct stored_matrix *matrix = &store->matrix[i];
        if (matrix->floats)
            *matrix->into = NULL;
        free(matrix->floats);
        matrix->floats = NULL;
        forget_pages(matrix->tensor);
    }
}

/* ---- embeddings ---- */

static int find_prefix(struct weight_reader *reader)
{
    static const char *const prefixes[] = {"", "bert.", "roberta.", "distilbert.", "mpnet.", "0.auto_model.", "model."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char name[256];
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (weight_files_find(reader->files, name)) {
            reader->prefix = prefixes[i];
            return 0;
        }
    }
    return fail(reader->why, "%s: there is no tensor embeddings.word_embeddings.weight, so this is no %s encoder", reader->where,
                architecture_name(reader->model->architecture));
}

static int read_embeddings(const struct weight_reader *reader)
{
    struct model_folder *model = reader->model;
    if (!(model->storage->words = find_tensor(reader, model->vocabulary, model->hidden, "embeddings.word_embeddings.weight")) ||
        !(model->position_rows = find_floats(reader, model->positions, model->hidden, "embeddings.position_embeddings.weight")) ||
        !(model->embedding_gain = find_floats(reader, 0, model->hidden, "embeddings.LayerNorm.weight")) ||
        !(model->embedding_bias = find_floats(reader, 0, model->hidden, "embeddings.LayerNorm.bias")))
        return -1;
    if (model->token_types && !(model->types = find_floats(reader, model->token_types, model->hidden, "embeddings.token_type_embeddings.weight")))
        return -1;
    return 0;
}

const float *model_words(const struct model_folder *model, size_t first, size_t count, float *scratch)
{
    const struct tensor *words = model->storage->words;
    if (is_direct(words))
        return (const float *)words->data + first * model->hidden;
    convert(words, first * model->hidden, count * model->hidden, scratch);
    return scratch;
}

/* ---- MPNet's bias by distance ---- */

/* The bucket of a distance from query to key: one for each short distance, then ever wider ones up to 128 (Raffel et al. 2020, arXiv 1910.10683). */
static size_t distance_bucket(long distance)
{
    enum { HALF = 16, EXACT = 8, FARTHEST = 128 };
    const size_t ahead = distance > 0 ? HALF : 0, far = (size_t)labs(distance);
    if (far < EXACT)
        return ahead + far;
    const float place = logf((float)far / EXACT) / (float)log((double)FARTHEST / EXACT) * (HALF - EXACT);
    const size_t bucket = EXACT + (size_t)place;
    return ahead + (bucket < HALF ? bucket : HALF - 1);
}

static int read_distance_bias(const struct weight_reader *reader)
{
    enum { BUCKETS = 32 };
    struct model_folder *model = reader->model;
    const size_t distances = 2 * model->max_tokens - 1;
    if (model->architecture != ARCHITECTURE_MPNET)
        return 0;
    const float *rows = find_floats(reader, BUCKETS, model->heads, "encoder.relative_attention_bias.weight"); /* [buckets, heads] */
    if (!rows)
        return -1;
    float *bias = malloc(model->heads * distances * sizeof *bias);
    if (!bias)
        return fail(reader->why, "out of memory");
    for (size_t i = 0; i < distances; i++) {
        const size_t bucket = distance_bucket((long)i - (long)(model->max_tokens - 1));
        for (size_t head = 0; head < model->heads; head++)
            bias[head * distances + i] = rows[bucket * model->heads + head];
    }
    model->distance_bias = model->storage->distance_bias = bias;
    return 0;
}

/* ---- dense layers ---- */

static int read_dense(struct model_folder *model, const struct model_paths *paths, size_t index, struct reason *why)
{
    struct model_dense *dense = &model->dense[index];
    struct weight_files *files = &model->storage->dense[index];
    struct reason inner;
    if (weight_files_open(files, paths->dense[index], &inner) < 0)
        return is_out_of_memory(&inner) ? fail(why, "%s", inner.text) : fail(why, "Dense: %s", inner.text);
    const struct weight_reader reader = {.model = model, .files = files, .where = "Dense: model.safetensors", .prefix = "linear.", .why = why};
    if (!(dense->weights = find_floats(&reader, dense->outputs, dense->inputs, "weight")))
        return -1;
    if (dense->bias && !(dense->bias = find_floats(&reader, 0, dense->outputs, "bias")))
        return -1;
    return 0;
}

/* ---- all of it ---- */

int model_read_weights(struct model_folder *model, const struct model_paths *paths, struct reason *why)
{
    struct model_storage *storage = model->storage;
    if (weight_files_open(&storage->encoder, paths->transformer, why) < 0)
        return -1;
    struct weight_reader reader = {.model = model, .files = &storage->encoder, .where = "model.safetensors", .why = why};
    if (find_prefix(&reader) < 0 || read_embeddings(&reader) < 0 || read_distance_bias(&reader) < 0)
        return -1;
    model->layer = calloc(model->layers, sizeof *model->layer);
    storage->layers = calloc(model->layers, sizeof *storage->layers);
    if (!model->layer || !storage->layers)
        return fail(why, "out of memory");
    for (size_t i = 0; i < model->layers; i++)
        if (read_layer(&reader, i) < 0)
            return -1;
    model->stored = common_type(model);
    for (size_t i = 0; i < model->denses; i++)
        if (read_dense(model, paths, i, why) < 0)
            return -1;
    return 0;
}

void model_free_weights(struct model_folder *model)
{
    struct model_storage *storage = model->storage;
    for (size_t i = 0; storage->layers && i < model->layers; i++)
        for (int j = 0; j < MATRICES; j++)
            free(storage->layers[i].matrix[j].floats);
    free(storage->layers);
    free(storage->distance_bias);
    for (size_t i = 0; i < storage->copy_count; i++)
        free(storage->copies[i]);
    free(storage->copies);
    weight_files_close(&storage->encoder);
    for (size_t i = 0; i < MODEL_DENSE; i++)
        weight_files_close(&storage->dense[i]);
    free(model->layer);
}
