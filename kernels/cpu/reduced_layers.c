#include "reduced_layers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"

#define WIDE_COLUMNS 768 /* the widest activations are made for so many of their columns at a time, which stay in the second-level cache until they are used */
#define WIDE_BYTES 2097152 /* the widest activations are made for so many rows at a time: more rows use a weight once fetched more often, fewer keep activations in nearer caches */

/* A layer's weights. Queries, keys and values of a few heads are one linear layer, and `up` and `down` are cut into blocks of the intermediate columns, as in layers.c. */
struct layer { struct reduced_linear *qkv, output, *up, *down; };

struct reduced_layers {
    const struct model_folder *model;
    struct reduced kernels;
    struct layer *layer;        /* [layers] */
    struct reduced_linear *linear; /* [layers, groups + 2 * blocks]: what struct layer points to */
    char *weights;              /* all packed weights and vectors */
    size_t weight_bytes;
    struct embedding_products *products; /* of the first layer; NULL: it is as the others */
    float *no_bias;                      /* zeros, as many as queries, keys and values of heads_at_once */

    size_t heads_at_once, groups, blocks, block_columns;
    size_t rows, wide_rows;                        /* that the buffers hold */
    size_t qkv_stride, context_stride, wide_stride; /* floats from row to row */
    float *qkv, *context;                          /* [rows, 3 * heads_at_once * head_size], [rows, hidden] */
    float *wide;                                   /* [wide_rows, block_columns] */
    float *scratch;                                /* attention's */
    struct operand x, y;                           /* [rows, hidden], [wide_rows, block_columns] */
};

/* ---- weights ---- */

/* Where what is packed lies: weights one behind the other, so that those of the next layer are found ahead, and then all the vectors. */
struct places { size_t weights, vectors; };

/* Places a linear layer at *at, or only counts the bytes where there is no memory yet. */
static void place_linear(struct reduced_layers *layers, struct reduced_linear *linear, size_t inputs, size_t outputs, struct places *at)
{
    const struct reduced *kernels = &layers->kernels;
    const size_t panels = round_up(outputs, kernels->panel), vector = round_up(panels * sizeof(float), CACHE_LINE);
    const size_t weights = round_up(kernels->weight_bytes(inputs, outputs), CACHE_LINE);
    *linear = (struct reduced_linear){.inputs = inputs, .outputs = outputs};
    if (layers->weights) {
        char *vectors = layers->weights + at->vectors;
        linear->weights = layers->weights + at->weights;
        linear->bias = (float *)vectors;
        linear->scale = (float *)(vectors + vector);
        linear->sums = (float *)(vectors + 2 * vector);
        linear->pair_sums = (uint32_t *)(vectors + 3 * vector);
    }
    at->weights += weights;
    at->vectors += 5 * vector;
}

static size_t block_columns(const struct reduced_layers *layers, size_t block)
{
    const size_t left = layers->model->intermediate - block * layers->block_columns;
    return left < layers->block_columns ? left : layers->block_columns;
}

/* In the order in which they are used: what comes next is fetched ahead. Vectors lie from `vectors` on. Returned is where both end. */
static struct places place_weights(struct reduced_layers *layers, size_t vectors)
{
    const size_t hidden = layers->model->hidden, per_layer = layers->groups + 2 * layers->blocks;
    struct places at = {0, vectors};
    for (size_t i = 0; i < layers->model->layers; i++) {
        struct layer *layer = &layers->layer[i];
        layer->qkv = layers->linear + i * per_layer;
        layer->up = layer->qkv + layers->groups;
        layer->down = layer->up + layers->blocks;
        for (size_t g = 0; g < layers->groups; g++)
            place_linear(layers, &layer->qkv[g], hidden, 3 * hidden / layers->groups, &at);
        place_linear(layers, &layer->output, hidden, hidden, &at);
        for (size_t b = 0; b < layers->blocks; b++) {
            place_linear(layers, &layer->up[b], hidden, block_columns(layers, b), &at);
            place_linear(layers, &layer->down[b], block_columns(layers, b), hidden, &at);
        }
    }
    return at;
}

/* Notes where weights [outputs, stride] lie (of whose columns a layer has some), which are its outputs `first` and following, and copies their bias (NULL: none). */
static void add_outputs(const struct reduced_linear *linear, const float **rows, const float *weights, size_t stride, const float *bias, size_t first, size_t outputs)
{
    for (size_t o = 0; o < outputs; o++)
        rows[first + o] = weights + o * stride;
    if (bias)
        memcpy(linear->bias + first, bias, outputs * sizeof *bias);
}

/* rows: room for as many as any linear layer has outputs. */
static int pack_layer(const struct reduced_layers *layers, struct layer *packed, const struct model_layer *layer, const float **rows)
{
    const struct reduced *kernels = &layers->kernels;
    const size_t hidden = layers->model->hidden, wide = layers->model->intermediate, columns = hidden / layers->groups;
    for (size_t g = 0; g < layers->groups; g++) {
        const size_t from = g * columns;
        add_outputs(&packed->qkv[g], rows, layer->query + from * hidden, hidden, layer->query_bias + from, 0, columns);
        add_outputs(&packed->qkv[g], rows, layer->key + from * hidden, hidden, layer->key_bias + from, columns, columns);
        add_outputs(&packed->qkv[g], rows, layer->value + from * hidden, hidden, layer->value_bias + from, 2 * columns, columns);
        if (kernels->pack(&packed->qkv[g], rows) < 0)
            return -1;
    }
    for (size_t b = 0; b < layers->blocks; b++) {
        const size_t from = b * layers->block_columns;
        add_outputs(&packed->up[b], rows, layer->up + from * hidden, hidden, layer->up_bias + from, 0, block_columns(layers, b));
        if (kernels->pack(&packed->up[b], rows) < 0)
            return -1;
        add_outputs(&packed->down[b], rows, layer->down + from, wide, b == 0 ? layer->down_bias : NULL, 0, hidden);
        if (kernels->pack(&packed->down[b], rows) < 0)
            return -1;
    }
    add_outputs(&packed->output, rows, layer->output, hidden, layer->output_bias, 0, hidden);
    return kernels->pack(&packed->output, rows);
}

static int pack_layers(const struct reduced_layers *layers, const float **rows, struct reason *why)
{
    for (size_t i = 0; i < layers->model->layers; i++) {
        if (model_layer_take(layers->model, i, why) < 0)
            return -1;
        int result = pack_layer(layers, &layers->layer[i], &layers->model->layer[i], rows);
        model_layer_drop(layers->model, i);
        if (result < 0)
            return fail(why, "out of memory");
    }
    return 0;
}

static int pack_weights(struct reduced_layers *layers, struct reason *why)
{
    layers->layer = calloc(layers->model->layers, sizeof *layers->layer);
    layers->linear = calloc(layers->model->layers * (layers->groups + 2 * layers->blocks), sizeof *layers->linear);
    if (!layers->layer || !layers->linear)
        return fail(why, "out of memory");
    const struct places size = place_weights(layers, 0);
    layers->weight_bytes = size.weights + size.vectors;
    if (!(layers->weights = layers_map_weights(layers->weight_bytes, why)))
        return -1;
    place_weights(layers, size.weights);
    const size_t columns = 3 * layers->model->hidden + layers->block_columns; /* as many as any linear layer has outputs */
    const float **rows = malloc(columns * sizeof *rows);
    const int result = rows ? pack_layers(layers, rows, why) : fail(why, "out of memory");
    free(rows);
    return result;
}

/* ---- buffers ---- */

static int make_operand(struct operand *operand, size_t rows, size_t width, const struct reduced *kernels)
{
    operand->stride = kernels->operand_row_bytes(width);
    operand->values = layers_buffer(round_up(rows, kernels->rows) * operand->stride); /* whole passes over a panel */
    operand->scale = layers_buffer(rows * sizeof(float));
    operand->zero = layers_buffer(rows * sizeof(float));
    operand->pair_sums = layers_buffer(round_up(rows, 2) * 2 * sizeof(int32_t));
    operand->room = layers_buffer(kernels->operand_room(width));
    return operand->values && operand->scale && operand->zero && operand->pair_sums && operand->room ? 0 : -1;
}

static void free_operand(struct operand *operand)
{
    free(operand->values);
    free(operand->scale);
    free(operand->zero);
    free(operand->pair_sums);
    free(operand->room);
    *operand = (struct operand){0};
}

static struct operand rows_from(const struct operand *operand, size_t row)
{
    return (struct operand){(char *)operand->values + row * operand->stride, operand->stride, operand->scale + row, operand->zero + row, operand->pair_sums + 2 * row, operand->room};
}

static void free_buffers(struct reduced_layers *layers)
{
    free(layers->qkv);
    free(layers->context);
    free(layers->scratch);
    free_operand(&layers->x);
    layers->qkv = layers->context = layers->scratch = NULL;
    layers->rows = 0;
}

static int reserve(struct reduced_layers *layers, size_t rows, struct reason *why)
{
    const struct model_folder *model = layers->model;
    if (rows <= layers->rows)
        return 0;
    free_buffers(layers);
    const size_t longest = rows < model->max_tokens ? rows : model->max_tokens;
    layers->qkv = layers_buffer(rows * layers->qkv_stride * sizeof(float));
    layers->context = layers_buffer(rows * layers->context_stride * sizeof(float));
    layers->scratch = layers_buffer(layers->kernels.attention_scratch(longest, model->hidden / model->heads) * sizeof(float));
    if (make_operand(&layers->x, rows, model->hidden, &layers->kernels) < 0 || !layers->qkv || !layers->context || !layers->scratch)
        return fail(why, "out of memory for %zu tokens", rows);
    layers->rows = rows;
    return 0;
}

static int make_fixed_buffers(struct reduced_layers *layers, struct reason *why)
{
    const struct model_folder *model = layers->model;
    const size_t tile = layers->kernels.rows;
    layers->qkv_stride = layers_row_stride(3 * model->hidden / layers->groups);
    layers->context_stride = layers_row_stride(model->hidden);
    layers->wide_stride = layers_row_stride(layers->block_columns);
    layers->wide_rows = WIDE_BYTES / (layers->wide_stride * sizeof(float)) / tile * tile;
    if (layers->wide_rows < tile)
        layers->wide_rows = tile;
    layers->wide = layers_buffer(layers->wide_rows * layers->wide_stride * sizeof(float));
    if (make_operand(&layers->y, layers->wide_rows, layers->block_columns, &layers->kernels) < 0 || !layers->wide)
        return fail(why, "out of memory");
    return 0;
}

/* As struct first_layer has it. */
static void multiply_first(void *context, int biased, size_t rows, const float *x, size_t stride, float *y)
{
    struct reduced_layers *layers = context;
    const size_t hidden = layers->model->hidden;
    for (size_t i = 0, some; i < rows; i += some) {
        some = rows - i < layers->rows ? rows - i : layers->rows;
        layers->kernels.convert(some, hidden, x + i * stride, stride, &layers->x);
        for (size_t g = 0; g < layers->groups; g++) {
            struct reduced_linear qkv = layers->layer[0].qkv[g];
            qkv.bias = biased ? qkv.bias : layers->no_bias;
            layers->kernels.linear(&qkv, LINEAR_STORE, some, &layers->x, y + i * 3 * hidden + g * qkv.outputs, 3 * hidden);
        }
    }
}

static int open_products(struct reduced_layers *layers, const struct kernels *exact, struct reason *why)
{
    const struct first_layer first = {layers, multiply_first, 3 * layers->model->hidden};
    layers->no_bias = calloc(round_up(layers->layer[0].qkv->outputs, layers->kernels.panel), sizeof *layers->no_bias);
    if (!layers->no_bias)
        return fail(why, "out of memory");
    return reserve(layers, layers->kernels.rows, why) < 0 ? -1 : embedding_products_open(&layers->products, layers->model, exact, &first, why);
}

struct reduced_layers *reduced_layers_open(const struct model_folder *model, const struct reduced *kernels, const struct kernels *exact, struct reason *why)
{
    struct reduced_layers *layers = calloc(1, sizeof *layers);
    if (!layers) {
        fail(why, "out of memory");
        return NULL;
    }
    layers->model = model;
    layers->kernels = *kernels;
    layers->heads_at_once = layers_heads_at_once(model);
    layers->groups = model->heads / layers->heads_at_once;
    const size_t columns = kernels->by_columns ? model->hidden : WIDE_COLUMNS;
    layers->block_columns = columns < model->intermediate ? columns : model->intermediate;
    layers->blocks = (model->intermediate + layers->block_columns - 1) / layers->block_columns;
    if (pack_weights(layers, why) < 0 || make_fixed_buffers(layers, why) < 0 || open_products(layers, exact, why) < 0) {
        reduced_layers_close(layers);
        return NULL;
    }
    return layers;
}

void reduced_layers_close(struct reduced_layers *layers)
{
    if (!layers)
        return;
    free_buffers(layers);
    free_operand(&layers->y);
    embedding_products_close(layers->products);
    free(layers->no_bias);
    free(layers->wide);
    free(layers->layer);
    free(layers->linear);
    if (layers->weights)
        munmap(layers->weights, layers->weight_bytes);
    free(layers);
}

/* ---- the forward pass ---- */

static void run_layer(struct reduced_layers *layers, size_t index, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride)
{
    const struct reduced *kernels = &layers->kernels;
    const struct model_folder *model = layers->model;
    const struct layer *packed = &layers->layer[index];
    const struct model_layer *layer = &model->layer[index];
    const size_t hidden = model->hidden, all_rows = pack->offsets[pack->texts] - pack->offsets[0], rows = wanted == ROWS_ALL ? all_rows : pack->texts;
    const struct attending attending = {kernels->attention, layers->qkv, layers->context, layers->scratch, layers->qkv_stride, layers->context_stride};

    for (size_t g = 0; g < layers->groups; g++) {
        const size_t outputs = packed->qkv[g].outputs;
        if (index == 0 && layers->products)
            embedding_products_sum(layers->products, &pack->tokens, all_rows, g * outputs, outputs, layers->qkv, layers->qkv_stride);
        else
            kernels->linear(&packed->qkv[g], LINEAR_STORE, all_rows, &layers->x, layers->qkv, layers->qkv_stride);
        layers_attend(model, &attending, g * layers->heads_at_once, layers->heads_at_once, pack, wanted);
    }
    if (wanted != ROWS_ALL)
        layers_keep_wanted(pack, wanted, hidden, states, stride);
    kernels->convert(rows, hidden, layers->context, layers->context_stride, &layers->x);
    kernels->linear(&packed->output, LINEAR_ADD, rows, &layers->x, states, stride);
    kernels->layer_norm(rows, hidden, states, stride, layer->attention_gain, layer->attention_bias, model->epsilon, &layers->x);
    for (size_t row = 0; row < rows; row += layers->wide_rows) {
        const size_t some = rows - row < layers->wide_rows ? rows - row : layers->wide_rows;
        const struct operand x = rows_from(&layers->x, row);
        for (size_t b = 0; b < layers->blocks; b++) {
            kernels->linear_gelu(&packed->up[b], some, &x, layers->wide, layers->wide_stride, &layers->y);
            kernels->linear(&packed->down[b], LINEAR_ADD, some, &layers->y, states + row * stride, stride);
        }
        kernels->layer_norm(some, hidden, states + row * stride, stride, layer->output_gain, layer->output_norm_bias, model->epsilon, &x);
    }
}

int reduced_layers_run(struct reduced_layers *layers, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride, struct reason *why)
{
    const struct model_folder *model = layers->model;
    const size_t rows = pack->offsets[pack->texts] - pack->offsets[0];
    if (reserve(layers, rows, why) < 0)
        return -1;
    if (layers->products)
        embedding_products_make(layers->products, &pack->tokens, rows);
    else
        layers->kernels.convert(rows, model->hidden, states, stride, &layers->x);
    for (size_t i = 0; i < model->layers; i++)
        run_layer(layers, i, pack, i + 1 == model->layers ? wanted : ROWS_ALL, states, stride);
    return 0;
}
