#include "reduced_layers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"
#include "balance.h"

#define WIDE_COLUMNS 768 /* the widest activations are made for so many of their columns at a time, which stay in the second-level cache until they are used */
#define WIDE_BYTES 2097152 /* the widest activations are made for so many rows at a time: more rows use a weight once fetched more often, fewer keep activations in nearer caches */

/* A layer's weights. Queries, keys and values of a few heads are one linear layer, and `up` and `down` are cut into blocks of the intermediate columns, as in layers.c. */
struct layer {
    const struct reduced *kernels;
    struct operand *x, *y;                        /* [PARTS] and one: what its products read */
    size_t parts;                                 /* of qkv's and up's inputs */
    struct reduced_linear *qkv, output, *up, *down; /* [parts, groups], [parts, blocks], [blocks] */
    float *before_qkv, *before_up;                /* [hidden]: factors of the rows that go into them */
};

enum { PARTS = 2 };

struct reduced_layers {
    const struct model_folder *model;
    struct reduced kernels[2];  /* by enum where; those of late layers twice where there are no early ones */
    struct layer *layer;        /* [layers] */
    struct reduced_linear *linear; /* [layers, PARTS * (groups + blocks) + blocks]: what struct layer points to */
    char *weights;              /* all packed weights and vectors */
    size_t weight_bytes;
    struct embedding_products *products; /* of the first layer; NULL: it is as the others */
    float *factors;                      /* [2 * layers, hidden]: what struct layer points to */
    float *even[PARTS + 1];              /* [hidden], by the number of parts: factors where nothing is balanced */
    float *even_wide[2];                 /* [block_columns], and as many as the last block has: likewise */
    float *no_bias;                      /* zeros, as many as queries, keys and values of heads_at_once */

    size_t heads_at_once, groups, blocks, block_columns;
    size_t rows, wide_rows;                        /* that the buffers hold */
    size_t qkv_stride, context_stride, wide_stride; /* floats from row to row */
    float *qkv, *context;                          /* [rows, 3 * heads_at_once * head_size], [rows, hidden] */
    float *wide;                                   /* [wide_rows, block_columns] */
    float *scratch;                                /* attention's */
    struct operand x[2][PARTS];                    /* by enum where: [rows, hidden]; where there are parts, [rows, hidden / 2] each */
    struct operand y[2];                           /* by enum where: [wide_rows, block_columns] */
};

/* ---- weights ---- */

/* Where what is packed lies: weights one behind the other, so that those of the next layer are found ahead, and then all the vectors. */
struct places { size_t weights, vectors; };

/* Places a linear layer at *at, or only counts the bytes where there is no memory yet. */
static void place_linear(struct reduced_layers *layers, const struct reduced *kernels, struct reduced_linear *linear, size_t inputs, size_t outputs, struct places *at)
{
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

/* How many layers are early (enum where). */
static size_t early_layers(const struct reduced_layers *layers)
{
    const struct model_folder *model = layers->model;
    if (layers->kernels[LATE].precision != PRECISION_INT8)
        return model->layers * 7 / 12;
    return model->hidden > WIDE_MODEL ? model->layers * 5 / 12 : 0;
}

static enum where where(const struct reduced_layers *layers, size_t index)
{
    return index < early_layers(layers) ? EARLY : LATE;
}

/* Wide models: narrower rows are more precise, and finish oftener for what they are. */
static size_t parts_of(const struct reduced_layers *layers, size_t index)
{
    const size_t hidden = layers->model->hidden;
    return layers->kernels[EARLY].parts > 1 && hidden > WIDE_MODEL && hidden % PARTS == 0 && where(layers, index) == EARLY ? PARTS : 1;
}

static void place_layer(struct reduced_layers *layers, struct layer *layer, struct places *at)
{
    const size_t hidden = layers->model->hidden;
    for (size_t g = 0; g < layers->groups; g++)
        for (size_t part = 0; part < layer->parts; part++)
            place_linear(layers, layer->kernels, &layer->qkv[part * layers->groups + g], hidden / layer->parts, 3 * hidden / layers->groups, at);
    place_linear(layers, layer->kernels, &layer->output, hidden, hidden, at);
    for (size_t b = 0; b < layers->blocks; b++) {
        for (size_t part = 0; part < layer->parts; part++)
            place_linear(layers, layer->kernels, &layer->up[part * layers->blocks + b], hidden / layer->parts, block_columns(layers, b), at);
        place_linear(layers, layer->kernels, &layer->down[b], block_columns(layers, b), hidden, at);
    }
}

/* In the order in which they are used: what comes next is fetched ahead. Vectors lie from `vectors` on. Returned is where both end. */
static struct places place_weights(struct reduced_layers *layers, size_t vectors)
{
    const size_t per_layer = PARTS * (layers->groups + layers->blocks) + layers->blocks;
    struct places at = {0, vectors};
    for (size_t i = 0; i < layers->model->layers; i++) {
        struct layer *layer = &layers->layer[i];
        const enum where at_this = where(layers, i);
        layer->kernels = &layers->kernels[at_this];
        layer->x = layers->x[at_this];
        layer->y = &layers->y[at_this];
        layer->qkv = layers->linear + i * per_layer;
        layer->up = layer->qkv + PARTS * layers->groups;
        layer->down = layer->up + PARTS * layers->blocks;
        layer->parts = parts_of(layers, i);
        place_layer(layers, layer, &at);
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

/* Where packing notes what it needs for one layer. */
struct packing {
    const float **rows;            /* as many as any linear layer has outputs */
    float *qkv, *up;               /* [hidden]: factors of weights */
    float *squares;                /* [hidden] */
};

/* The first layer's queries, keys and values are not balanced: it gets no layer norm's results most of the time (embedding_products.h). */
static void balance_layer(const struct reduced_layers *layers, size_t index, const struct packing *packing)
{
    const struct model_layer *layer = &layers->model->layer[index];
    const size_t hidden = layers->model->hidden, wide = layers->model->intermediate;
    const float *even = layers->even[layers->layer[index].parts];
    memcpy(packing->qkv, even, hidden * sizeof *packing->qkv);
    memcpy(packing->up, even, hidden * sizeof *packing->up);
    if (!layers->layer[index].kernels->balanced)
        return;
    if (index > 0) {
        memset(packing->squares, 0, hidden * sizeof *packing->squares);
        balance_add(hidden, hidden, layer->query, packing->squares);
        balance_add(hidden, hidden, layer->key, packing->squares);
        balance_add(hidden, hidden, layer->value, packing->squares);
        balance(hidden, layer[-1].output_gain, layer[-1].output_norm_bias, packing->squares, layers->layer[index].before_qkv, packing->qkv);
    }
    memset(packing->squares, 0, hidden * sizeof *packing->squares);
    balance_add(hidden, wide, layer->up, packing->squares);
    balance(hidden, layer->attention_gain, layer->attention_bias, packing->squares, layers->layer[index].before_up, packing->up);
}

static const float *wide_factors(const struct reduced_layers *layers, size_t block)
{
    return layers->even_wide[block + 1 == layers->blocks];
}

static int pack_layer(const struct reduced_layers *layers, size_t index, const struct packing *packing)
{
    const struct model_layer *layer = &layers->model->layer[index];
    struct layer *packed = &layers->layer[index];
    const struct reduced *kernels = packed->kernels;
    const float **rows = packing->rows;
    const size_t hidden = layers->model->hidden, wide = layers->model->intermediate, columns = hidden / layers->groups;
    for (size_t part = 0; part < packed->parts; part++) {
        const size_t input = part * (hidden / packed->parts);
        for (size_t g = 0; g < layers->groups; g++) {
            const struct reduced_linear *qkv = &packed->qkv[part * layers->groups + g];
            const size_t from = g * columns, at = from * hidden + input;
            add_outputs(qkv, rows, layer->query + at, hidden, part ? NULL : layer->query_bias + from, 0, columns);
            add_outputs(qkv, rows, layer->key + at, hidden, part ? NULL : layer->key_bias + from, columns, columns);
            add_outputs(qkv, rows, layer->value + at, hidden, part ? NULL : layer->value_bias + from, 2 * columns, columns);
            if (kernels->pack(qkv, rows, packing->qkv + input) < 0)
                return -1;
        }
        for (size_t b = 0; b < layers->blocks; b++) {
            const struct reduced_linear *up = &packed->up[part * layers->blocks + b];
            const size_t from = b * layers->block_columns;
            add_outputs(up, rows, layer->up + from * hidden + input, hidden, part ? NULL : layer->up_bias + from, 0, block_columns(layers, b));
            if (kernels->pack(up, rows, packing->up + input) < 0)
                return -1;
        }
    }
    for (size_t b = 0; b < layers->blocks; b++) {
        add_outputs(&packed->down[b], rows, layer->down + b * layers->block_columns, wide, b == 0 ? layer->down_bias : NULL, 0, hidden);
        if (kernels->pack(&packed->down[b], rows, wide_factors(layers, b)) < 0)
            return -1;
    }
    add_outputs(&packed->output, rows, layer->output, hidden, layer->output_bias, 0, hidden);
    return kernels->pack(&packed->output, rows, layers->even[1]);
}

static int pack_layers(const struct reduced_layers *layers, const struct packing *packing, struct reason *why)
{
    for (size_t i = 0; i < layers->model->layers; i++) {
        if (model_layer_take(layers->model, i, why) < 0)
            return -1;
        balance_layer(layers, i, packing);
        const int result = pack_layer(layers, i, packing);
        model_layer_drop(layers->model, i);
        if (result < 0)
            return fail(why, "out of memory");
    }
    return 0;
}

/* Rotation's factors of rows in so many parts, early and late the same, or late none and then they are not read; NULL: out of memory. */
static float *even_factors(const struct reduced_layers *layers, size_t width, size_t parts)
{
    float *factors = malloc(width * sizeof *factors);
    for (size_t part = 0; factors && part < parts; part++)
        layers->kernels[EARLY].rotation_factors(width / parts, factors + part * (width / parts));
    return factors;
}

static int make_factors(struct reduced_layers *layers)
{
    const size_t hidden = layers->model->hidden, count = layers->model->layers;
    for (size_t parts = 1; parts <= PARTS; parts++)
        if (!(layers->even[parts] = even_factors(layers, hidden / parts * parts, parts)))
            return -1;
    layers->even_wide[0] = even_factors(layers, layers->block_columns, 1);
    layers->even_wide[1] = even_factors(layers, block_columns(layers, layers->blocks - 1), 1);
    layers->factors = malloc(2 * count * hidden * sizeof *layers->factors);
    if (!layers->even_wide[0] || !layers->even_wide[1] || !layers->factors)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const float *even = layers->even[parts_of(layers, i)];
        layers->layer[i].before_qkv = memcpy(layers->factors + 2 * i * hidden, even, hidden * sizeof *even);
        layers->layer[i].before_up = memcpy(layers->factors + (2 * i + 1) * hidden, even, hidden * sizeof *even);
    }
    return 0;
}

static int pack_weights(struct reduced_layers *layers, struct reason *why)
{
    const size_t hidden = layers->model->hidden;
    layers->layer = calloc(layers->model->layers, sizeof *layers->layer);
    layers->linear = calloc(layers->model->layers * (PARTS * (layers->groups + layers->blocks) + layers->blocks), sizeof *layers->linear);
    if (!layers->layer || !layers->linear || make_factors(layers) < 0)
        return fail(why, "out of memory");
    const struct places size = place_weights(layers, 0);
    layers->weight_bytes = size.weights + size.vectors;
    if (!(layers->weights = layers_map_weights(layers->weight_bytes, why)))
        return -1;
    place_weights(layers, size.weights);
    const size_t columns = 3 * hidden + layers->block_columns; /* as many as any linear layer has outputs */
    const float **rows = malloc(columns * sizeof *rows);
    float *factors = malloc(3 * hidden * sizeof *factors);
    const struct packing packing = {rows, factors, factors + hidden, factors + 2 * hidden};
    const int result = rows && factors ? pack_layers(layers, &packing, why) : fail(why, "out of memory");
    free(rows);
    free(factors);
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
    return (struct operand){(char *)operand->values + row * operand->stride, operand->stride, operand->scale + row, operand->zero + row, operand->pair_sums + 2 * row, operand->room,
                            operand->factors};
}

static void free_buffers(struct reduced_layers *layers)
{
    free(layers->qkv);
    free(layers->context);
    free(layers->scratch);
    for (size_t part = 0; part < 2 * PARTS; part++)
        free_operand(&layers->x[part / PARTS][part % PARTS]);
    layers->qkv = layers->context = layers->scratch = NULL;
    layers->rows = 0;
}

static int reserve(struct reduced_layers *layers, size_t rows, struct reason *why)
{
    const struct model_folder *model = layers->model;
    if (rows <= layers->rows)
        return 0;
    free_buffers(layers);
    const size_t longest = rows < model->max_tokens ? rows : model->max_tokens, head_size = model->hidden / model->heads;
    const size_t early = layers->kernels[EARLY].attention.scratch(longest, head_size), late = layers->kernels[LATE].attention.scratch(longest, head_size);
    layers->qkv = layers_buffer(rows * layers->qkv_stride * sizeof(float));
    layers->context = layers_buffer(rows * layers->context_stride * sizeof(float));
    layers->scratch = layers_buffer((early > late ? early : late) * sizeof(float));
    if (!layers->qkv || !layers->context || !layers->scratch)
        return fail(why, "out of memory for %zu tokens", rows);
    for (enum where at = EARLY; at <= LATE; at++)
        if (make_operand(&layers->x[at][0], rows, model->hidden, &layers->kernels[at]) < 0 || make_operand(&layers->x[at][1], rows, (model->hidden + PARTS - 1) / PARTS, &layers->kernels[at]) < 0)
            return fail(why, "out of memory for %zu tokens", rows);
    layers->rows = rows;
    return 0;
}

static int make_fixed_buffers(struct reduced_layers *layers, struct reason *why)
{
    const struct model_folder *model = layers->model;
    const size_t tile = layers->kernels[EARLY].rows;
    layers->qkv_stride = layers_row_stride(3 * model->hidden / layers->groups);
    layers->context_stride = layers_row_stride(model->hidden);
    layers->wide_stride = layers_row_stride(layers->block_columns);
    layers->wide_rows = WIDE_BYTES / (layers->wide_stride * sizeof(float)) / tile * tile;
    if (layers->wide_rows < tile)
        layers->wide_rows = tile;
    layers->wide = layers_buffer(layers->wide_rows * layers->wide_stride * sizeof(float));
    for (enum where at = EARLY; at <= LATE; at++)
        if (make_operand(&layers->y[at], layers->wide_rows, layers->block_columns, &layers->kernels[at]) < 0)
            return fail(why, "out of memory");
    return layers->wide ? 0 : fail(why, "out of memory");
}

static void give_factors(struct operand x[PARTS], size_t parts, size_t hidden, const float *factors)
{
    for (size_t part = 0; part < parts; part++)
        x[part].factors = factors + part * (hidden / parts);
}

/* x [rows, hidden] as operands of a layer, which takes them in so many parts. */
static void convert(const struct reduced_layers *layers, const struct layer *packed, size_t parts, const float *factors, size_t rows, const float *x, size_t stride)
{
    const size_t width = layers->model->hidden / parts;
    give_factors(packed->x, parts, layers->model->hidden, factors);
    for (size_t part = 0; part < parts; part++)
        packed->kernels->convert(rows, width, x + part * width, stride, &packed->x[part]);
}

/* Queries, keys and values of a group of heads, to y. */
static void multiply_qkv(const struct reduced_layers *layers, const struct layer *packed, size_t group, const float *bias, size_t rows, float *y, size_t stride)
{
    for (size_t part = 0; part < packed->parts; part++) {
        struct reduced_linear qkv = packed->qkv[part * layers->groups + group];
        qkv.bias = bias ? (float *)bias : qkv.bias;
        packed->kernels->linear(&qkv, part ? LINEAR_ADD : LINEAR_STORE, rows, &packed->x[part], y, stride);
    }
}

/* As struct first_layer has it. */
static void multiply_first(void *context, int biased, size_t rows, const float *x, size_t stride, float *y)
{
    struct reduced_layers *layers = context;
    const struct layer *packed = &layers->layer[0];
    const size_t hidden = layers->model->hidden;
    for (size_t i = 0, some; i < rows; i += some) {
        some = rows - i < layers->rows ? rows - i : layers->rows;
        convert(layers, packed, packed->parts, packed->before_qkv, some, x + i * stride, stride);
        for (size_t g = 0; g < layers->groups; g++)
            multiply_qkv(layers, packed, g, biased ? NULL : layers->no_bias, some, y + i * 3 * hidden + g * packed->qkv[g].outputs, 3 * hidden);
    }
}

static int open_products(struct reduced_layers *layers, const struct kernels *exact, struct reason *why)
{
    const struct first_layer first = {layers, multiply_first, 3 * layers->model->hidden};
    layers->no_bias = calloc(round_up(layers->layer[0].qkv->outputs, layers->kernels[EARLY].panel), sizeof *layers->no_bias);
    if (!layers->no_bias)
        return fail(why, "out of memory");
    return reserve(layers, layers->kernels[EARLY].rows, why) < 0 ? -1 : embedding_products_open(&layers->products, layers->model, exact, &first, why);
}

struct reduced_layers *reduced_layers_open(const struct model_folder *model, const struct reduced *kernels, const struct kernels *exact, struct reason *why)
{
    struct reduced_layers *layers = calloc(1, sizeof *layers);
    if (!layers) {
        fail(why, "out of memory");
        return NULL;
    }
    layers->model = model;
    memcpy(layers->kernels, kernels, sizeof layers->kernels);
    if (early_layers(layers) == 0)
        layers->kernels[EARLY] = layers->kernels[LATE];
    layers->heads_at_once = layers_heads_at_once(model);
    layers->groups = model->heads / layers->heads_at_once;
    const size_t columns = layers->kernels[EARLY].by_columns || layers->kernels[LATE].by_columns ? model->hidden : WIDE_COLUMNS;
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
    free_operand(&layers->y[EARLY]);
    free_operand(&layers->y[LATE]);
    embedding_products_close(layers->products);
    free(layers->factors);
    free(layers->even[1]);
    free(layers->even[2]);
    free(layers->even_wide[0]);
    free(layers->even_wide[1]);
    free(layers->no_bias);
    free(layers->wide);
    free(layers->layer);
    free(layers->linear);
    if (layers->weights)
        munmap(layers->weights, layers->weight_bytes);
    free(layers);
}

/* ---- the forward pass ---- */

/* The feed-forward block of rows `row` and following, from their operands; and the operands of the next layer. */
static void run_wide(struct reduced_layers *layers, size_t index, size_t rows, size_t row, float *states, size_t stride)
{
    const struct model_folder *model = layers->model;
    const struct layer *packed = &layers->layer[index], *next = index + 1 < model->layers ? packed + 1 : NULL;
    const struct model_layer *layer = &model->layer[index];
    const struct reduced *kernels = packed->kernels, *next_kernels = next ? next->kernels : kernels;
    const size_t last = packed->parts - 1, next_parts = next ? next->parts : 1;
    const struct operand x[PARTS] = {rows_from(&packed->x[0], row), rows_from(&packed->x[1], row)}, *next_x = next ? next->x : packed->x;
    struct operand into[PARTS] = {rows_from(&next_x[0], row), rows_from(&next_x[1], row)};
    for (size_t b = 0; b < layers->blocks; b++) {
        for (size_t part = 0; part < last; part++)
            kernels->linear(&packed->up[part * layers->blocks + b], part ? LINEAR_ADD : LINEAR_STORE, rows, &x[part], layers->wide, layers->wide_stride);
        packed->y->factors = wide_factors(layers, b);
        kernels->linear_gelu(&packed->up[last * layers->blocks + b], last ? LINEAR_ADD : LINEAR_STORE, rows, &x[last], layers->wide, layers->wide_stride, packed->y);
        kernels->linear(&packed->down[b], LINEAR_ADD, rows, packed->y, states, stride);
    }
    give_factors(into, next_parts, model->hidden, next ? next->before_qkv : layers->even[1]);
    next_kernels->layer_norm(rows, model->hidden, states, stride, layer->output_gain, layer->output_norm_bias, model->epsilon, next_parts, into);
}

static void run_layer(struct reduced_layers *layers, size_t index, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride)
{
    const struct model_folder *model = layers->model;
    const struct layer *packed = &layers->layer[index];
    const struct reduced *kernels = packed->kernels;
    const struct model_layer *layer = &model->layer[index];
    const size_t hidden = model->hidden, all_rows = pack->offsets[pack->texts] - pack->offsets[0], rows = wanted == ROWS_ALL ? all_rows : pack->texts;
    const struct attending attending = {kernels->attention.attention, layers->qkv, layers->context, layers->scratch, layers->qkv_stride, layers->context_stride};

    for (size_t g = 0; g < layers->groups; g++) {
        const size_t outputs = packed->qkv[g].outputs;
        if (index == 0 && layers->products)
            embedding_products_sum(layers->products, &pack->tokens, all_rows, g * outputs, outputs, layers->qkv, layers->qkv_stride);
        else
            multiply_qkv(layers, packed, g, NULL, all_rows, layers->qkv, layers->qkv_stride);
        layers_attend(model, &attending, g * layers->heads_at_once, layers->heads_at_once, pack, wanted);
    }
    if (wanted != ROWS_ALL)
        layers_keep_wanted(pack, wanted, hidden, states, stride);
    convert(layers, packed, 1, layers->even[1], rows, layers->context, layers->context_stride);
    kernels->linear(&packed->output, LINEAR_ADD, rows, &packed->x[0], states, stride);
    give_factors(packed->x, packed->parts, hidden, packed->before_up);
    kernels->layer_norm(rows, hidden, states, stride, layer->attention_gain, layer->attention_bias, model->epsilon, packed->parts, packed->x);
    for (size_t row = 0; row < rows; row += layers->wide_rows)
        run_wide(layers, index, rows - row < layers->wide_rows ? rows - row : layers->wide_rows, row, states + row * stride, stride);
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
        convert(layers, &layers->layer[0], layers->layer[0].parts, layers->layer[0].before_qkv, rows, states, stride);
    for (size_t i = 0; i < model->layers; i++)
        run_layer(layers, i, pack, i + 1 == model->layers ? wanted : ROWS_ALL, states, stride);
    return 0;
}
