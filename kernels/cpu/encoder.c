/* The encoder on a CPU: texts are packed one behind the other into a block of rows, every linear layer takes the block as it is, and only attention
 * looks at each text alone. One thread: the parallelism is Make's. */
#include "../encoder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"
#include "head.h"
#include "kernels.h"
#include "reduced_layers.h"

enum { PACK_TOKENS = 112 }; /* a pack is closed when it has this many rows: enough to use each weight often, few enough for the second-level cache */
#define UP_BYTES 1048576    /* the widest activations are made for so many rows at a time that they stay in that cache */
#define LINE 64

struct encoder_layer { struct linear qkv, output, up, down; };

struct encoder {
    const struct model_folder *model;
    const struct kernels *kernels;
    struct encoder_layer *layer; /* [layers] */
    float *weights;              /* all packed weights and biases */
    size_t weight_bytes;

    size_t rows, up_rows;                    /* that the buffers below hold */
    size_t stride, qkv_stride, up_stride;    /* floats from row to row */
    float *states, *qkv, *context;           /* [rows, hidden], [rows, 3 * hidden], [rows, hidden] */
    float *up;                               /* [up_rows, intermediate] */
    float *scratch;                          /* attention's */
    float *words;                            /* [hidden], where word embeddings must be converted */
    int32_t *places;                         /* [max_tokens]: positions of a text's tokens */
    struct head *head;
    struct reduced_layers *reduced;          /* NULL in f32; else the layers are run there, and only `states` of the above is used */
};

/* An odd number of cache lines, so that the rows of a tile do not fall into the same sets of the first-level cache. */
static size_t row_stride(size_t width)
{
    size_t lines = (width * sizeof(float) + LINE - 1) / LINE;
    return (lines | 1) * LINE / sizeof(float);
}

static size_t whole_panels(const struct encoder *encoder, size_t outputs)
{
    return (outputs + encoder->kernels->panel - 1) / encoder->kernels->panel * encoder->kernels->panel;
}

/* ---- packing ---- */

/* Places a layer's weights and bias at *at, or only counts the floats where there is no memory yet. */
static void place_linear(struct encoder *encoder, struct linear *linear, size_t inputs, size_t outputs, size_t *at)
{
    const size_t wide = whole_panels(encoder, outputs), unit = LINE / sizeof(float);
    *linear = (struct linear){.inputs = inputs, .outputs = outputs};
    if (encoder->weights) {
        linear->weights = encoder->weights + *at;
        linear->bias = linear->weights + (wide * inputs + unit - 1) / unit * unit;
    }
    *at += (wide * inputs + unit - 1) / unit * unit + (wide + unit - 1) / unit * unit;
}

static size_t place_weights(struct encoder *encoder)
{
    const size_t hidden = encoder->model->hidden, wide = encoder->model->intermediate;
    size_t at = 0;
    for (size_t i = 0; i < encoder->model->layers; i++) {
        struct encoder_layer *layer = &encoder->layer[i];
        place_linear(encoder, &layer->qkv, hidden, 3 * hidden, &at);
        place_linear(encoder, &layer->output, hidden, hidden, &at);
        place_linear(encoder, &layer->up, hidden, wide, &at);
        place_linear(encoder, &layer->down, wide, hidden, &at);
    }
    return at;
}

static void pack_part(const struct encoder *encoder, struct linear *linear, const float *weights, const float *bias, size_t first, size_t outputs)
{
    encoder->kernels->pack(linear, weights, first, outputs);
    memcpy(linear->bias + first, bias, outputs * sizeof *bias);
}

static void pack_layer(const struct encoder *encoder, struct encoder_layer *packed, const struct model_layer *layer)
{
    const size_t hidden = encoder->model->hidden;
    pack_part(encoder, &packed->qkv, layer->query, layer->query_bias, 0, hidden);
    pack_part(encoder, &packed->qkv, layer->key, layer->key_bias, hidden, hidden);
    pack_part(encoder, &packed->qkv, layer->value, layer->value_bias, 2 * hidden, hidden);
    pack_part(encoder, &packed->output, layer->output, layer->output_bias, 0, hidden);
    pack_part(encoder, &packed->up, layer->up, layer->up_bias, 0, encoder->model->intermediate);
    pack_part(encoder, &packed->down, layer->down, layer->down_bias, 0, hidden);
}

static int pack_weights(struct encoder *encoder, struct reason *why)
{
    encoder->layer = calloc(encoder->model->layers, sizeof *encoder->layer);
    if (!encoder->layer)
        return fail(why, "out of memory");
    encoder->weight_bytes = place_weights(encoder) * sizeof(float);
    /* Zeros from the system fill up the last panels. Large pages spare the products most of their misses of the translation buffer. */
    float *memory = mmap(NULL, encoder->weight_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fail(why, "out of memory: packed weights take %zu bytes", encoder->weight_bytes);
    madvise(memory, encoder->weight_bytes, MADV_HUGEPAGE);
    encoder->weights = memory;
    place_weights(encoder);
    for (size_t i = 0; i < encoder->model->layers; i++) {
        if (model_layer_take(encoder->model, i, why) < 0)
            return -1;
        pack_layer(encoder, &encoder->layer[i], &encoder->model->layer[i]);
        model_layer_drop(encoder->model, i);
    }
    return 0;
}

/* ---- buffers ---- */

static float *make_buffer(size_t floats)
{
    size_t bytes = (floats * sizeof(float) + LINE - 1) / LINE * LINE;
    float *buffer = aligned_alloc(LINE, bytes);
    return buffer ? memset(buffer, 0, bytes) : NULL;
}

static void free_buffers(struct encoder *encoder)
{
    free(encoder->states);
    free(encoder->qkv);
    free(encoder->context);
    free(encoder->scratch);
    encoder->states = encoder->qkv = encoder->context = encoder->scratch = NULL;
    encoder->rows = 0;
}

/* Makes room for a pack of `rows` rows; a text has at most that many. */
static int reserve(struct encoder *encoder, size_t rows, struct reason *why)
{
    const struct model_folder *model = encoder->model;
    if (rows <= encoder->rows)
        return 0;
    free_buffers(encoder);
    encoder->states = make_buffer(rows * encoder->stride);
    if (encoder->reduced) {
        encoder->rows = encoder->states ? rows : 0;
        return encoder->states ? 0 : fail(why, "out of memory for %zu tokens", rows);
    }
    encoder->qkv = make_buffer(rows * encoder->qkv_stride);
    encoder->context = make_buffer(rows * encoder->stride);
    const size_t longest = rows < model->max_tokens ? rows : model->max_tokens;
    encoder->scratch = make_buffer(encoder->kernels->attention_scratch(longest, model->hidden / model->heads));
    if (!encoder->states || !encoder->qkv || !encoder->context || !encoder->scratch)
        return fail(why, "out of memory for %zu tokens", rows);
    encoder->rows = rows;
    return 0;
}

static int make_fixed_buffers(struct encoder *encoder, struct reason *why)
{
    const struct model_folder *model = encoder->model;
    const size_t tile = encoder->kernels->rows;
    encoder->stride = row_stride(model->hidden);
    encoder->qkv_stride = row_stride(3 * model->hidden);
    encoder->up_stride = row_stride(model->intermediate);
    encoder->up_rows = UP_BYTES / sizeof(float) / encoder->up_stride / tile * tile;
    if (encoder->up_rows < tile)
        encoder->up_rows = tile;
    encoder->up = make_buffer(encoder->reduced ? 1 : encoder->up_rows * encoder->up_stride);
    encoder->words = calloc(model->hidden, sizeof *encoder->words);
    encoder->places = calloc(model->max_tokens, sizeof *encoder->places);
    if (!encoder->up || !encoder->words || !encoder->places)
        return fail(why, "out of memory");
    return (encoder->head = head_open(model, why)) ? 0 : -1;
}

/* The weights, in the precision that this machine computes in. */
static int open_layers(struct encoder *encoder, enum precision precision, struct reason *why)
{
    struct reduced kernels;
    if (!reduced_choose(precision, &kernels))
        return pack_weights(encoder, why);
    encoder->reduced = reduced_layers_open(encoder->model, &kernels, why);
    return encoder->reduced ? 0 : -1;
}

struct encoder *encoder_open(const struct model_folder *model, enum precision precision, struct reason *why)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) {
        fail(why, "out of memory");
        return NULL;
    }
    encoder->model = model;
    encoder->kernels = kernels_choose(why);
    if (!encoder->kernels || open_layers(encoder, precision, why) < 0 || make_fixed_buffers(encoder, why) < 0) {
        encoder_close(encoder);
        return NULL;
    }
    return encoder;
}

void encoder_close(struct encoder *encoder)
{
    if (!encoder)
        return;
    free_buffers(encoder);
    free(encoder->up);
    free(encoder->words);
    free(encoder->places);
    head_close(encoder->head);
    reduced_layers_close(encoder->reduced);
    free(encoder->layer);
    if (encoder->weights)
        munmap(encoder->weights, encoder->weight_bytes);
    free(encoder);
}

/* ---- the forward pass ---- */

/* states [tokens, hidden] = layer norm of word + type + position. */
static int embed(const struct encoder *encoder, const int32_t *ids, size_t tokens, float *states, struct reason *why)
{
    const struct model_folder *model = encoder->model;
    for (size_t t = 0; t < tokens; t++)
        if (ids[t] < 0 || (size_t)ids[t] >= model->vocabulary)
            return fail(why, "token id %d is outside the vocabulary of %zu", (int)ids[t], model->vocabulary);
    model_positions(model, ids, tokens, encoder->places);
    for (size_t t = 0; t < tokens; t++) {
        const float *word = model_words(model, (size_t)ids[t], 1, encoder->words), *position = model->position_rows + (size_t)encoder->places[t] * model->hidden;
        float *row = states + t * encoder->stride;
        for (size_t i = 0; i < model->hidden; i++)
            row[i] = (model->types ? word[i] + model->types[i] : word[i]) + position[i];
    }
    encoder->kernels->layer_norm(tokens, model->hidden, states, encoder->stride, model->embedding_gain, model->embedding_bias, model->epsilon);
    return 0;
}

static void run_layer(const struct encoder *encoder, size_t index, const size_t *offsets, size_t texts)
{
    const struct kernels *kernels = encoder->kernels;
    const struct model_folder *model = encoder->model;
    const struct encoder_layer *packed = &encoder->layer[index];
    const struct model_layer *layer = &model->layer[index];
    const size_t hidden = model->hidden, stride = encoder->stride, rows = offsets[texts] - offsets[0];

    kernels->linear(&packed->qkv, LINEAR_STORE, rows, encoder->states, stride, encoder->qkv, encoder->qkv_stride);
    for (size_t i = 0; i < texts; i++) {
        const size_t row = offsets[i] - offsets[0], tokens = offsets[i + 1] - offsets[i];
        const struct attention text = {.tokens = tokens, .heads = model->heads, .head_size = hidden / model->heads, .queries = tokens,
                                       .bias = model->distance_bias, .reach = model->max_tokens};
        kernels->attention(&text, encoder->qkv + row * encoder->qkv_stride, encoder->qkv_stride, encoder->context + row * stride, stride, encoder->scratch);
    }
    kernels->linear(&packed->output, LINEAR_ADD, rows, encoder->context, stride, encoder->states, stride);
    kernels->layer_norm(rows, hidden, encoder->states, stride, layer->attention_gain, layer->attention_bias, model->epsilon);
    for (size_t row = 0; row < rows; row += encoder->up_rows) {
        const size_t some = rows - row < encoder->up_rows ? rows - row : encoder->up_rows;
        float *states = encoder->states + row * stride;
        kernels->linear(&packed->up, LINEAR_GELU, some, states, stride, encoder->up, encoder->up_stride);
        kernels->linear(&packed->down, LINEAR_ADD, some, encoder->up, encoder->up_stride, states, stride);
        kernels->layer_norm(some, hidden, states, stride, layer->output_gain, layer->output_norm_bias, model->epsilon);
    }
}

/* One pack through all layers: offsets[0] .. offsets[texts] are its tokens. */
static int run_pack(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, struct reason *why)
{
    if (reserve(encoder, offsets[texts] - offsets[0], why) < 0)
        return -1;
    for (size_t i = 0; i < texts; i++)
        if (embed(encoder, ids + offsets[i], offsets[i + 1] - offsets[i], encoder->states + (offsets[i] - offsets[0]) * encoder->stride, why) < 0)
            return -1;
    if (encoder->reduced)
        return reduced_layers_run(encoder->reduced, offsets, texts, ROWS_ALL, encoder->states, encoder->stride, why);
    for (size_t layer = 0; layer < encoder->model->layers; layer++)
        run_layer(encoder, layer, offsets, texts);
    return 0;
}

/* The end of the pack that begins with text `first`. */
static size_t pack_end(const size_t *offsets, size_t first, size_t texts)
{
    size_t end = first + 1;
    while (end < texts && offsets[end] - offsets[first] < PACK_TOKENS)
        end++;
    return end;
}

static int check_lengths(const struct encoder *encoder, const size_t *offsets, size_t texts, struct reason *why)
{
    for (size_t i = 0; i < texts; i++)
        if (offsets[i + 1] <= offsets[i] || offsets[i + 1] - offsets[i] > encoder->model->max_tokens)
            return fail(why, "text %zu has no tokens, or more than %zu", i, encoder->model->max_tokens);
    return 0;
}

int encoder_forward(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, float *embeddings, struct reason *why)
{
    if (check_lengths(encoder, offsets, texts, why) < 0)
        return -1;
    for (size_t first = 0, end; first < texts; first = end) {
        end = pack_end(offsets, first, texts);
        if (run_pack(encoder, ids, offsets + first, end - first, why) < 0)
            return -1;
        for (size_t i = first; i < end; i++)
            head_embedding(encoder->head, encoder->states + (offsets[i] - offsets[first]) * encoder->stride, encoder->stride, offsets[i + 1] - offsets[i],
                           embeddings + i * encoder_dimension(encoder));
    }
    return 0;
}

int encoder_states(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, float *states, struct reason *why)
{
    const size_t hidden = encoder->model->hidden;
    if (check_lengths(encoder, offsets, texts, why) < 0)
        return -1;
    for (size_t first = 0, end; first < texts; first = end) {
        end = pack_end(offsets, first, texts);
        if (run_pack(encoder, ids, offsets + first, end - first, why) < 0)
            return -1;
        for (size_t row = 0; row < offsets[end] - offsets[first]; row++)
            memcpy(states + (offsets[first] - offsets[0] + row) * hidden, encoder->states + row * encoder->stride, hidden * sizeof *states);
    }
    return 0;
}

size_t encoder_dimension(const struct encoder *encoder)
{
    return encoder->model->dimension;
}

size_t encoder_max_tokens(const struct encoder *encoder)
{
    return encoder->model->max_tokens;
}
