#include "layers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"

#define BLOCK_COLUMNS 384 /* of the widest activations that are made at a time: with the states of a pack they fill half a second-level cache or less */

/* A layer's weights. Queries, keys and values of a few heads are one linear layer [3 * heads_at_once * head_size outputs]; `up` and `down` are cut into
 * blocks of the intermediate columns, and only the first block of `down` has the bias. */
struct layer { struct linear *qkv, output, *up, *down; };

struct layers {
    const struct model_folder *model;
    const struct kernels *kernels;
    struct layer *layer;   /* [layers] */
    struct linear *linear; /* [layers, groups + 2 * blocks]: what struct layer points to */
    float *weights;        /* all packed weights and biases */
    float *widened;        /* where one panel of 16-bit weights becomes floats; NULL for f32 */
    size_t weight_bytes;
    struct embedding_products *products; /* of the first layer; NULL: it is as the others */
    float *no_bias;                      /* zeros, as many as queries, keys and values of heads_at_once */

    size_t heads_at_once, groups, blocks;
    size_t rows, block_stride; /* of the buffers: rows that they hold, floats from row to row of `block` */
    size_t stride;             /* of context and next */
    float *block;              /* [rows, BLOCK_COLUMNS or less, or 3 * heads_at_once * head_size] */
    float *context, *next;     /* [rows, hidden] */
    float *scratch;            /* attention's */
};

/* ---- weights ---- */

static size_t head_size_of(const struct layers *layers)
{
    return layers->model->hidden / layers->model->heads;
}

static size_t block_columns(const struct layers *layers, size_t block)
{
    const size_t left = layers->model->intermediate - block * BLOCK_COLUMNS;
    return left < BLOCK_COLUMNS ? left : BLOCK_COLUMNS;
}

/* Places a linear layer's weights and bias at *at, or only counts the floats where there is no memory yet. */
static void place_linear(struct layers *layers, struct linear *linear, size_t inputs, size_t outputs, size_t *at)
{
    const size_t unit = CACHE_LINE / sizeof(float), wide = round_up(outputs, layers->kernels->panel), constants = round_up(wide, unit);
    const size_t weights = round_up(layers->model->stored == FLOATS_F32 ? wide * inputs : (wide * inputs + 1) / 2, unit);
    *linear = (struct linear){.inputs = inputs, .outputs = outputs, .stored = layers->model->stored, .widened = layers->widened};
    if (layers->weights) {
        linear->weights = layers->weights + *at;
        linear->bias = layers->weights + *at + weights;
        linear->unscale = linear->bias + constants;
        linear->pair_sums = linear->unscale + constants;
    }
    *at += weights + 3 * constants;
}

/* In the order in which they are used: what comes next is fetched ahead. */
static size_t place_weights(struct layers *layers)
{
    const size_t hidden = layers->model->hidden, per_layer = layers->groups + 2 * layers->blocks;
    size_t at = 0;
    for (size_t i = 0; i < layers->model->layers; i++) {
        struct layer *layer = &layers->layer[i];
        layer->qkv = layers->linear + i * per_layer;
        layer->up = layer->qkv + layers->groups;
        layer->down = layer->up + layers->blocks;
        for (size_t g = 0; g < layers->groups; g++)
            place_linear(layers, &layer->qkv[g], hidden, 3 * layers->heads_at_once * head_size_of(layers), &at);
        place_linear(layers, &layer->output, hidden, hidden, &at);
        for (size_t b = 0; b < layers->blocks; b++) {
            place_linear(layers, &layer->up[b], hidden, block_columns(layers, b), &at);
            place_linear(layers, &layer->down[b], block_columns(layers, b), hidden, &at);
        }
    }
    return at;
}

/* Packs weights [outputs, stride] (of whose columns the layer has some) and bias (NULL: none), as outputs `first` and following. */
static void pack_part(const struct layers *layers, struct linear *linear, const float *weights, size_t stride, const float *bias, size_t first, size_t outputs)
{
    layers->kernels->pack(linear, weights, stride, first, outputs);
    if (bias)
        memcpy(linear->bias + first, bias, outputs * sizeof *bias);
}

static void pack_layer(const struct layers *layers, struct layer *packed, const struct model_layer *layer)
{
    const size_t hidden = layers->model->hidden, wide = layers->model->intermediate, columns = layers->heads_at_once * head_size_of(layers);
    for (size_t g = 0; g < layers->groups; g++) {
        const size_t from = g * columns;
        pack_part(layers, &packed->qkv[g], layer->query + from * hidden, hidden, layer->query_bias + from, 0, columns);
        pack_part(layers, &packed->qkv[g], layer->key + from * hidden, hidden, layer->key_bias + from, columns, columns);
        pack_part(layers, &packed->qkv[g], layer->value + from * hidden, hidden, layer->value_bias + from, 2 * columns, columns);
    }
    pack_part(layers, &packed->output, layer->output, hidden, layer->output_bias, 0, hidden);
    for (size_t b = 0; b < layers->blocks; b++) {
        const size_t from = b * BLOCK_COLUMNS;
        pack_part(layers, &packed->up[b], layer->up + from * hidden, hidden, layer->up_bias + from, 0, block_columns(layers, b));
        pack_part(layers, &packed->down[b], layer->down + from, wide, b == 0 ? layer->down_bias : NULL, 0, hidden);
    }
}

static int pack_weights(struct layers *layers, struct reason *why)
{
    const size_t count = layers->model->layers;
    layers->layer = calloc(count, sizeof *layers->layer);
    layers->linear = calloc(count * (layers->groups + 2 * layers->blocks), sizeof *layers->linear);
    if (!layers->layer || !layers->linear)
        return fail(why, "out of memory");
    const size_t widest = layers->model->hidden > BLOCK_COLUMNS ? layers->model->hidden : BLOCK_COLUMNS; /* of all inputs */
    if (layers->model->stored != FLOATS_F32 && !(layers->widened = layers_buffer(widest * layers->kernels->panel * sizeof(float))))
        return fail(why, "out of memory");
    layers->weight_bytes = place_weights(layers) * sizeof(float);
    if (!(layers->weights = layers_map_weights(layers->weight_bytes, why)))
        return -1;
    place_weights(layers);
    for (size_t i = 0; i < count; i++) {
        if (model_layer_take(layers->model, i, why) < 0)
            return -1;
        pack_layer(layers, &layers->layer[i], &layers->model->layer[i]);
        model_layer_drop(layers->model, i);
    }
    return 0;
}

/* As struct first_layer has it: queries, keys and values of heads_at_once side by side, group behind group. */
static void multiply_first(void *context, int biased, size_t rows, const float *x, size_t stride, float *y)
{
    const struct layers *layers = context;
    for (size_t g = 0; g < layers->groups; g++) {
        struct linear qkv = layers->layer[0].qkv[g];
        qkv.bias = biased ? qkv.bias : layers->no_bias;
        layers->kernels->linear(&qkv, LINEAR_STORE, rows, x, stride, y + g * qkv.outputs, layers->groups * qkv.outputs);
    }
}

static int open_products(struct layers *layers, struct reason *why)
{
    const struct first_layer first = {layers, multiply_first, 3 * layers->model->hidden};
    layers->no_bias = calloc(round_up(layers->layer[0].qkv->outputs, layers->kernels->panel), sizeof *layers->no_bias);
    return layers->no_bias ? embedding_products_open(&layers->products, layers->model, layers->kernels, &first, why) : fail(why, "out of memory");
}

struct layers *layers_open(const struct model_folder *model, const struct kernels *kernels, struct reason *why)
{
    struct layers *layers = calloc(1, sizeof *layers);
    if (!layers) {
        fail(why, "out of memory");
        return NULL;
    }
    layers->model = model;
    layers->kernels = kernels;
    layers->heads_at_once = layers_heads_at_once(model);
    layers->groups = model->heads / layers->heads_at_once;
    layers->blocks = (model->intermediate + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    if (pack_weights(layers, why) < 0 || open_products(layers, why) < 0) {
        layers_close(layers);
        return NULL;
    }
    return layers;
}

/* ---- buffers ---- */

static void free_buffers(struct layers *layers)
{
    free(layers->block);
    free(layers->context);
    free(layers->next);
    free(layers->scratch);
    layers->block = layers->context = layers->next = layers->scratch = NULL;
    layers->rows = 0;
}

/* Makes room for a pack of `rows` rows; a text has at most that many. */
static int reserve(struct layers *layers, size_t rows, struct reason *why)
{
    const struct model_folder *model = layers->model;
    if (rows <= layers->rows)
        return 0;
    free_buffers(layers);
    const size_t longest = rows < model->max_tokens ? rows : model->max_tokens, qkv = 3 * layers->heads_at_once * head_size_of(layers);
    layers->stride = layers_row_stride(model->hidden);
    layers->block_stride = layers_row_stride(qkv > BLOCK_COLUMNS ? qkv : BLOCK_COLUMNS);
    layers->block = layers_buffer(rows * layers->block_stride * sizeof(float));
    layers->context = layers_buffer(rows * layers->stride * sizeof(float));
    layers->next = layers_buffer(rows * layers->stride * sizeof(float));
    layers->scratch = layers_buffer(layers->kernels->attention_scratch(longest, head_size_of(layers)) * sizeof(float));
    if (!layers->block || !layers->context || !layers->next || !layers->scratch)
        return fail(why, "out of memory for %zu tokens", rows);
    layers->rows = rows;
    return 0;
}

void layers_close(struct layers *layers)
{
    if (!layers)
        return;
    free_buffers(layers);
    embedding_products_close(layers->products);
    free(layers->no_bias);
    free(layers->widened);
    free(layers->layer);
    free(layers->linear);
    if (layers->weights)
        munmap(layers->weights, layers->weight_bytes);
    free(layers);
}

/* ---- the forward pass ---- */

/* Queries, keys and values of a group of heads, to the block. */
static void make_qkv(struct layers *layers, size_t index, size_t group, const struct pack *pack, const float *states, size_t stride)
{
    const struct linear *qkv = &layers->layer[index].qkv[group];
    const size_t rows = pack->offsets[pack->texts] - pack->offsets[0];
    if (index == 0 && layers->products)
        embedding_products_sum(layers->products, &pack->tokens, rows, group * qkv->outputs, qkv->outputs, layers->block, layers->block_stride);
    else
        layers->kernels->linear(qkv, LINEAR_STORE, rows, states, stride, layers->block, layers->block_stride);
}

static void run_layer(struct layers *layers, size_t index, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride)
{
    const struct kernels *kernels = layers->kernels;
    const struct model_folder *model = layers->model;
    const struct layer *packed = &layers->layer[index];
    const struct model_layer *layer = &model->layer[index];
    const size_t hidden = model->hidden, rows = wanted == ROWS_ALL ? pack->offsets[pack->texts] - pack->offsets[0] : pack->texts;
    const struct attending attending = {kernels->attention, layers->block, layers->context, layers->scratch, layers->block_stride, layers->stride};

    for (size_t g = 0; g < layers->groups; g++) {
        make_qkv(layers, index, g, pack, states, stride);
        layers_attend(model, &attending, g * layers->heads_at_once, layers->heads_at_once, pack, wanted);
    }
    if (wanted != ROWS_ALL)
        layers_keep_wanted(pack, wanted, hidden, states, stride);
    kernels->linear(&packed->output, LINEAR_ADD, rows, layers->context, layers->stride, states, stride);
    kernels->layer_norm(rows, hidden, states, stride, layer->attention_gain, layer->attention_bias, model->epsilon, layers->next,
                        layers->stride); /* the residual connection: the blocks' results are added to the copy */
    for (size_t b = 0; b < layers->blocks; b++) {
        kernels->linear(&packed->up[b], LINEAR_GELU, rows, states, stride, layers->block, layers->block_stride);
        kernels->linear(&packed->down[b], LINEAR_ADD, rows, layers->block, layers->block_stride, layers->next, layers->stride);
    }
    kernels->layer_norm(rows, hidden, layers->next, layers->stride, layer->output_gain, layer->output_norm_bias, model->epsilon, states, stride);
}

int layers_run(struct layers *layers, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride, struct reason *why)
{
    const size_t rows = pack->offsets[pack->texts] - pack->offsets[0];
    if (reserve(layers, rows, why) < 0)
        return -1;
    if (layers->products)
        embedding_products_make(layers->products, &pack->tokens, rows);
    for (size_t i = 0; i < layers->model->layers; i++)
        run_layer(layers, i, pack, i + 1 == layers->model->layers ? wanted : ROWS_ALL, states, stride);
    return 0;
}
