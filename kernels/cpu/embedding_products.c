#include "embedding_products.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"
#include "layer_parts.h"

enum {
    PRODUCTS_BYTES = 32 << 20,
    ROWS_AT_ONCE = 112 /* that are multiplied together */
};

struct embedding_products {
    const struct model_folder *model;
    const struct kernels *kernels;
    struct first_layer layer;
    size_t kept, most;   /* rows of products that there are, and that there is room for */
    float *products;     /* [most, outputs] */
    float *constant;     /* [outputs]: W bias + b */
    uint32_t *place_of;  /* [vocabulary + positions]: the row of a word's product, then of a position's; none: 0, else 1 more */
    uint32_t *missing;   /* [most]: what is to be made */
    float *centered;     /* [ROWS_AT_ONCE, hidden] */
    float *word;         /* [hidden], where word embeddings must be converted */
};

/* ---- opening ---- */

/* The rows of products that a pack needs at most: its words and its positions. */
static size_t most_of_a_pack(const struct model_folder *model)
{
    const size_t tokens = PACK_TOKENS_WIDE > model->max_tokens ? PACK_TOKENS_WIDE : model->max_tokens;
    return tokens + model->max_tokens + 1;
}

static int make_room(struct embedding_products *products, struct reason *why)
{
    const size_t hidden = products->model->hidden, outputs = products->layer.outputs;
    /* Memory that is not used yet takes no room. */
    float *memory = mmap(NULL, products->most * outputs * sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    products->products = memory == MAP_FAILED ? NULL : memory;
    products->constant = calloc(outputs, sizeof *products->constant);
    products->place_of = calloc(products->model->vocabulary + products->model->positions, sizeof *products->place_of);
    products->missing = calloc(products->most, sizeof *products->missing);
    products->centered = calloc(ROWS_AT_ONCE * hidden, sizeof *products->centered);
    products->word = calloc(hidden, sizeof *products->word);
    if (!products->products || !products->constant || !products->place_of || !products->missing || !products->centered || !products->word)
        return fail(why, "out of memory");
    return 0;
}

int embedding_products_open(struct embedding_products **into, const struct model_folder *model, const struct kernels *kernels, const struct first_layer *layer,
                            struct reason *why)
{
    const size_t rows = PRODUCTS_BYTES / sizeof(float) / layer->outputs;
    *into = NULL;
    if (rows < most_of_a_pack(model))
        return 0;
    struct embedding_products *products = calloc(1, sizeof *products);
    if (!products)
        return fail(why, "out of memory");
    *products = (struct embedding_products){.model = model, .kernels = kernels, .layer = *layer, .most = rows};
    if (make_room(products, why) < 0) {
        embedding_products_close(products);
        return -1;
    }
    layer->multiply(layer->layers, 1, 1, model->embedding_bias, model->hidden, products->constant);
    *into = products;
    return 0;
}

void embedding_products_close(struct embedding_products *products)
{
    if (!products)
        return;
    if (products->products)
        munmap(products->products, products->most * products->layer.outputs * sizeof *products->products);
    free(products->constant);
    free(products->place_of);
    free(products->missing);
    free(products->centered);
    free(products->word);
    free(products);
}

/* ---- products ---- */

/* c(word), or c(type + position) */
static void center(const struct embedding_products *products, size_t key, float *into)
{
    const struct model_folder *model = products->model;
    const size_t hidden = model->hidden, place = key - model->vocabulary;
    double sum = 0;
    if (key < model->vocabulary)
        memcpy(into, model_words(model, key, 1, products->word), hidden * sizeof *into);
    else
        for (size_t i = 0; i < hidden; i++)
            into[i] = model->position_rows[place * hidden + i] + (model->types ? model->types[i] : 0);
    for (size_t i = 0; i < hidden; i++)
        sum += (double)into[i];
    for (size_t i = 0; i < hidden; i++)
        into[i] = (float)((double)into[i] - sum / (double)hidden) * model->embedding_gain[i];
}

/* Notes words or positions that there are no products of yet, once each. */
static size_t note_missing(struct embedding_products *products, const int32_t *rows, size_t count, size_t first, size_t missing)
{
    for (size_t i = 0; i < count; i++) {
        const size_t key = first + (size_t)rows[i];
        if (products->place_of[key])
            continue;
        products->missing[missing] = (uint32_t)key;
        products->place_of[key] = (uint32_t)(products->kept + ++missing);
    }
    return missing;
}

static void make_missing(struct embedding_products *products, size_t missing)
{
    const size_t hidden = products->model->hidden, outputs = products->layer.outputs;
    for (size_t i = 0, some; i < missing; i += some) {
        some = missing - i < ROWS_AT_ONCE ? missing - i : ROWS_AT_ONCE;
        for (size_t j = 0; j < some; j++)
            center(products, products->missing[i + j], products->centered + j * hidden);
        products->layer.multiply(products->layer.layers, 0, some, products->centered, hidden, products->products + products->kept * outputs);
        products->kept += some;
    }
}

void embedding_products_make(struct embedding_products *products, const struct embedded *tokens, size_t count)
{
    const size_t vocabulary = products->model->vocabulary;
    if (products->kept + most_of_a_pack(products->model) > products->most) { /* full: from the beginning again */
        memset(products->place_of, 0, (vocabulary + products->model->positions) * sizeof *products->place_of);
        products->kept = 0;
    }
    size_t missing = note_missing(products, tokens->ids, count, 0, 0);
    missing = note_missing(products, tokens->places, count, vocabulary, missing);
    make_missing(products, missing);
}

void embedding_products_sum(const struct embedding_products *products, const struct embedded *tokens, size_t count, size_t first, size_t columns, float *y, size_t stride)
{
    const size_t outputs = products->layer.outputs;
    for (size_t i = 0; i < count; i++) {
        const uint32_t word = products->place_of[tokens->ids[i]] - 1, place = products->place_of[products->model->vocabulary + (size_t)tokens->places[i]] - 1;
        products->kernels->scaled_sum(columns, products->products + word * outputs + first, products->products + place * outputs + first, tokens->factors[i],
                                      products->constant + first, y + i * stride);
    }
}
