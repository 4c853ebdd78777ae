/* The encoder on a CPU: texts are packed one behind the other into a block of rows, every linear layer takes the block as it is, and only attention
 * looks at each text alone. One thread: the parallelism is Make's. */
#include "../encoder.h"

#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/model_folder.h"
#include "head.h"
#include "kernels.h"
#include "layers.h"
#include "reduced_layers.h"

#define LINE 64

struct encoder {
    const struct model_folder *model;
    const struct kernels *kernels;
    struct layers *layers;          /* the layers in f32, */
    struct reduced_layers *reduced; /* or in reduced precision; the other is NULL */
    struct head *head;
    enum rows_wanted wanted;        /* of the last layer, for an embedding */
    size_t pack_tokens;             /* of a pack of several texts, at most */

    size_t rows, stride; /* of states: rows that it holds, floats from row to row */
    float *states;       /* [rows, hidden] */
    float *factors;      /* [rows], and the next: what struct embedded says of them */
    int32_t *places;
    float *words;        /* [hidden], where word embeddings must be converted */
};

static void free_rows(struct encoder *encoder)
{
    free(encoder->states);
    free(encoder->factors);
    free(encoder->places);
    encoder->states = encoder->factors = NULL;
    encoder->places = NULL;
    encoder->rows = 0;
}

/* Makes room for a pack of `rows` rows. */
static int reserve(struct encoder *encoder, size_t rows, struct reason *why)
{
    if (rows <= encoder->rows)
        return 0;
    free_rows(encoder);
    encoder->states = aligned_alloc(LINE, rows * encoder->stride * sizeof *encoder->states);
    encoder->factors = malloc(rows * sizeof *encoder->factors);
    encoder->places = malloc(rows * sizeof *encoder->places);
    if (!encoder->states || !encoder->factors || !encoder->places)
        return fail(why, "out of memory for %zu tokens", rows);
    encoder->rows = rows;
    return 0;
}

/* One row of a text is enough for a pooling that takes the first or the last token. */
static enum rows_wanted rows_pooled(const struct model_folder *model)
{
    if (model->poolings == 1 && model->pooling[0] == POOLING_CLS && !model->skipped)
        return ROWS_FIRST;
    return model->poolings == 1 && model->pooling[0] == POOLING_LAST_TOKEN ? ROWS_LAST : ROWS_ALL;
}

static int make_fixed_buffers(struct encoder *encoder, struct reason *why)
{
    const struct model_folder *model = encoder->model;
    encoder->stride = layers_row_stride(model->hidden);
    encoder->wanted = rows_pooled(model);
    encoder->words = calloc(model->hidden, sizeof *encoder->words);
    if (!encoder->words)
        return fail(why, "out of memory");
    return (encoder->head = head_open(model, why)) ? 0 : -1;
}

/* The weights, in the precision that this machine computes in. */
static int open_layers(struct encoder *encoder, enum precision precision, struct reason *why)
{
    struct reduced kernels[2];
    const int reduced = reduced_choose(precision, kernels);
    encoder->pack_tokens = !reduced || !kernels[EARLY].tile_rows ? PACK_TOKENS : encoder->model->hidden > WIDE_MODEL ? PACK_TOKENS_WIDE : PACK_TOKENS_TILES;
    if (reduced)
        encoder->reduced = reduced_layers_open(encoder->model, kernels, encoder->kernels, why);
    else
        encoder->layers = layers_open(encoder->model, encoder->kernels, why);
    return encoder->reduced || encoder->layers ? 0 : -1;
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
    free_rows(encoder);
    free(encoder->words);
    head_close(encoder->head);
    reduced_layers_close(encoder->reduced);
    layers_close(encoder->layers);
    free(encoder);
}

/* ---- the forward pass ---- */

/* A text's states from row `first` on: layer norm of word + type + position. */
static int embed(const struct encoder *encoder, const int32_t *ids, size_t tokens, size_t first, struct reason *why)
{
    const struct model_folder *model = encoder->model;
    for (size_t t = 0; t < tokens; t++)
        if (ids[t] < 0 || (size_t)ids[t] >= model->vocabulary)
            return fail(why, "token id %d is outside the vocabulary of %zu", (int)ids[t], model->vocabulary);
    model_positions(model, ids, tokens, encoder->places + first);
    for (size_t t = 0, row = first; t < tokens; t++, row++) {
        const float *word = model_words(model, (size_t)ids[t], 1, encoder->words), *position = model->position_rows + (size_t)encoder->places[row] * model->hidden;
        encoder->factors[row] = encoder->kernels->layer_norm_of_sum(model->hidden, word, position, model->types, model->embedding_gain, model->embedding_bias,
                                                                    model->epsilon, encoder->states + row * encoder->stride);
    }
    return 0;
}

/* One pack through all layers: offsets[0] .. offsets[texts] are its tokens. */
static int run_pack(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, enum rows_wanted wanted, struct reason *why)
{
    if (reserve(encoder, offsets[texts] - offsets[0], why) < 0)
        return -1;
    for (size_t i = 0; i < texts; i++)
        if (embed(encoder, ids + offsets[i], offsets[i + 1] - offsets[i], offsets[i] - offsets[0], why) < 0)
            return -1;
    const struct pack pack = {offsets, texts, {ids + offsets[0], encoder->places, encoder->factors}};
    return encoder->reduced ? reduced_layers_run(encoder->reduced, &pack, wanted, encoder->states, encoder->stride, why)
                            : layers_run(encoder->layers, &pack, wanted, encoder->states, encoder->stride, why);
}

/* The end of the pack that begins with text `first`. */
static size_t pack_end(const struct encoder *encoder, const size_t *offsets, size_t first, size_t texts)
{
    size_t end = first + 1;
    while (end < texts && offsets[end + 1] - offsets[first] <= encoder->pack_tokens)
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
    const int all = encoder->wanted == ROWS_ALL;
    if (check_lengths(encoder, offsets, texts, why) < 0)
        return -1;
    for (size_t first = 0, end; first < texts; first = end) {
        end = pack_end(encoder, offsets, first, texts);
        if (run_pack(encoder, ids, offsets + first, end - first, encoder->wanted, why) < 0)
            return -1;
        for (size_t i = first; i < end; i++) {
            const size_t row = all ? offsets[i] - offsets[first] : i - first, rows = all ? offsets[i + 1] - offsets[i] : 1;
            head_embedding(encoder->head, encoder->states + row * encoder->stride, encoder->stride, rows, embeddings + i * encoder_dimension(encoder));
        }
    }
    return 0;
}

int encoder_states(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, float *states, struct reason *why)
{
    const size_t hidden = encoder->model->hidden;
    if (check_lengths(encoder, offsets, texts, why) < 0)
        return -1;
    for (size_t first = 0, end; first < texts; first = end) {
        end = pack_end(encoder, offsets, first, texts);
        if (run_pack(encoder, ids, offsets + first, end - first, ROWS_ALL, why) < 0)
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
