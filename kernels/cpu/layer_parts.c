#include "layer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../tools/lib/model_folder.h"

#define HEADS_COLUMNS 384 /* of queries, keys and values that are made at a time: with the states of a pack they fill half a second-level cache or less */

size_t layers_row_stride(size_t width)
{
    const size_t unit = CACHE_LINE / sizeof(float);
    return (round_up(width, unit) / unit | 1) * unit;
}

size_t layers_heads_at_once(const struct model_folder *model)
{
    size_t at_once = 1;
    for (size_t heads = 2; heads <= model->heads; heads++)
        if (model->heads % heads == 0 && 3 * heads * (model->hidden / model->heads) <= HEADS_COLUMNS)
            at_once = heads;
    return at_once;
}

static struct attention heads_of_text(const struct model_folder *model, size_t first, size_t heads, size_t tokens, enum rows_wanted wanted)
{
    return (struct attention){
        .tokens = tokens, .heads = heads, .head_size = model->hidden / model->heads,
        .query = wanted == ROWS_LAST ? tokens - 1 : 0, .queries = wanted == ROWS_ALL ? tokens : 1,
        .bias = model->distance_bias ? model->distance_bias + first * (2 * model->max_tokens - 1) : NULL, .reach = model->max_tokens,
    };
}

void layers_attend(const struct model_folder *model, const struct attending *attending, size_t first, size_t heads, const struct pack *pack, enum rows_wanted wanted)
{
    const size_t *offsets = pack->offsets, head_size = model->hidden / model->heads;
    for (size_t i = 0; i < pack->texts; i++) {
        const size_t row = offsets[i] - offsets[0], tokens = offsets[i + 1] - offsets[i], into = wanted == ROWS_ALL ? row : i;
        const struct attention text = heads_of_text(model, first, heads, tokens, wanted);
        attending->attention(&text, attending->qkv + row * attending->qkv_stride, attending->qkv_stride,
                             attending->context + into * attending->context_stride + first * head_size, attending->context_stride, attending->scratch);
    }
}

void layers_keep_wanted(const struct pack *pack, enum rows_wanted wanted, size_t hidden, float *states, size_t stride)
{
    for (size_t i = 0; i < pack->texts; i++) {
        const size_t row = (wanted == ROWS_LAST ? pack->offsets[i + 1] - 1 : pack->offsets[i]) - pack->offsets[0];
        memmove(states + i * stride, states + row * stride, hidden * sizeof *states);
    }
}

void *layers_buffer(size_t bytes)
{
    void *buffer = aligned_alloc(CACHE_LINE, round_up(bytes, CACHE_LINE));
    return buffer ? memset(buffer, 0, bytes) : NULL;
}

/* Zeros from the system fill up the last panels. Large pages spare the products most of their misses of the translation buffer. */
void *layers_map_weights(size_t bytes, struct reason *why)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fail(why, "out of memory: packed weights take %zu bytes", bytes);
        return NULL;
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}
