#include "text_shard.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "half_floats.h"
#include "hash.h"
#include "limited_items.h"
#include "shard.h"

/* Where an item's finished embedding is copied from; shard NULL: it is computed. */
struct finished_text { const struct shard *shard; size_t item; };

static void take_in_hand(const struct text_shard_maker *maker, uint64_t item, size_t count)
{
    struct timespec time;
    if (!maker->in_hand) {
        guard_begin(maker->guard, item, count);
        return;
    }
    atomic_store(&maker->in_hand->item, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    atomic_store(&maker->in_hand->began, (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec);
    atomic_store(&maker->in_hand->item, count ? item + 1 : 0);
}

static void add_record(struct text_buffer *records, const struct item *item, const char *error)
{
    char hex[HASH_HEX + 1];
    hash_to_hex(item->key, hex);
    text_printf(records, "%s{\"key\":\"%s\"", records->count ? "," : "[", hex);
    if (error) {
        text_add_string(records, ",\"error\":");
        text_add_json_string(records, error, strlen(error));
    }
    text_add_string(records, "}");
}

/* Tokenizes an item unless it is finished elsewhere. 0; 1: `why` is why it is quarantined; -1. */
static int add_item(struct text_shard *shard, const struct text_shard_maker *maker, size_t index, struct reason *why)
{
    const struct item *item = &shard->list.items[index];
    const char *verdict = guard_verdict(maker->guard, shard->first + index);
    if (item->unusable || verdict) {
        if (!item->unusable && limited_items_note(shard->in, item->key, why) < 0)
            return -1;
        fail(why, "%s", item->unusable ? item->unusable : verdict);
        return token_batch_add_none(&shard->texts, why) < 0 ? -1 : 1;
    }
    struct finished_text *finished = &shard->finished[index];
    finished->shard = maker->reuse ? reuse_find(maker->reuse, item->key, &finished->item) : NULL;
    if (finished->shard)
        return token_batch_add_none(&shard->texts, why);
    take_in_hand(maker, shard->first + index, 1);
    if (!limited_key_is(item->key, hash_bytes(item->value, item->value_length)))
        return fail(why, "line %zu: the text is not the one its key was made from; the list is damaged", index + 1);
    int result = token_batch_add(&shard->texts, maker->tokenizer, maker->model->prompt, item->value, item->value_length, maker->model->max_tokens, why);
    take_in_hand(maker, 0, 0);
    if (result < 0 && is_out_of_memory(why) && maker->memory_limited) {
        if (limited_items_note(shard->in, item->key, why) < 0)
            return -1;
        fail(why, OVER_ITEM_MEMORY);
        return token_batch_add_none(&shard->texts, why) < 0 ? -1 : 1;
    }
    return result;
}

/* Tokenizes the list's items; those that cannot be are quarantined. */
static int add_items(struct text_shard *shard, const struct text_shard_maker *maker, struct reason *why)
{
    uint64_t quarantined = 0, copied = 0;
    for (size_t i = 0; i < shard->list.count; i++) {
        int result = add_item(shard, maker, i, why);
        if (result < 0)
            return -1;
        /* What the guard keeps is how far it has been told, which says nothing where shards are read side by side. */
        if (result > 0 && (maker->in_hand || !guard_told(maker->guard, shard->first + i)))
            progress_name_quarantined(shard->in, "line %zu: not embedded: %s", i + 1, why->text);
        quarantined += result > 0;
        copied += shard->finished[i].shard != NULL;
        add_record(&shard->records, &shard->list.items[i], result > 0 ? why->text : NULL);
    }
    text_add_string(&shard->records, shard->list.count ? "]" : "[]");
    shard->at_once = (struct progress_items){.done = quarantined + copied, .quarantined = quarantined, .copied = copied};
    return shard->records.failed ? fail(why, "out of memory") : 0;
}

int text_shard_read(struct text_shard *shard, const struct text_shard_maker *maker, struct reason *why)
{
    if (item_list_read(shard->in, &shard->list, why) < 0)
        return -1;
    shard->finished = calloc(shard->list.count + 1, sizeof *shard->finished);
    return shard->finished ? add_items(shard, maker, why) : fail(why, "out of memory");
}

/* ---- writing: what was computed, what finished shards hold, and nothing for the others ---- */

/* The rows of all items on their way into the file. */
struct rows_out {
    const char *name;
    enum shard_type type;
    uint64_t width;
    size_t value_bytes;
    int64_t *offsets; /* [items + 1] */
    int32_t *tokens;  /* [items] */
    char *values;     /* [offsets[items], width] */
};

/* Where each item's rows will stand, and its number of tokens. An embedding is one row, whatever becomes of the text. */
static int place_rows(const struct text_shard *shard, const struct text_shard_maker *maker, struct rows_out *out, struct reason *why)
{
    const int one_row = maker->model->result == MODEL_EMBEDDINGS;
    for (size_t i = 0; i < shard->texts.texts; i++) {
        const struct finished_text *finished = &shard->finished[i];
        uint64_t shape[2];
        out->tokens[i] = (int32_t)token_batch_tokens(&shard->texts, i);
        if (finished->shard) {
            const int32_t *n_tokens = shard_tensor(finished->shard, "n_tokens", SHARD_I32, shape);
            if (!n_tokens || shape[0] <= finished->item)
                return fail(why, "a finished shard of the same signature has other tensors");
            out->tokens[i] = n_tokens[finished->item];
        }
        out->offsets[i + 1] = out->offsets[i] + (one_row ? 1 : out->tokens[i]);
    }
    return 0;
}

static int copy_finished(const struct finished_text *finished, const struct rows_out *out, size_t item, struct reason *why)
{
    uint64_t shape[2], places[2];
    const char *values = shard_tensor(finished->shard, out->name, out->type, shape);
    const int64_t *offsets = shard_tensor(finished->shard, "offsets", SHARD_I64, places);
    const uint64_t row = offsets ? (uint64_t)offsets[finished->item] : finished->item, rows = (uint64_t)(out->offsets[item + 1] - out->offsets[item]);
    if (!values || shape[1] != out->width || row + rows > shape[0])
        return fail(why, "a finished shard of the same signature has other tensors");
    const size_t row_bytes = out->width * out->value_bytes;
    memcpy(out->values + (size_t)out->offsets[item] * row_bytes, values + row * row_bytes, rows * row_bytes);
    return 0;
}

static void put_computed(const struct text_shard *shard, const struct text_shard_maker *maker, const float *computed, const struct rows_out *out, size_t item)
{
    const size_t distinct = shard->texts.distinct_of[item], first = shard->texts.offsets[distinct], row_bytes = out->width * out->value_bytes;
    const size_t from = maker->model->result == MODEL_EMBEDDINGS ? distinct : first, rows = (size_t)(out->offsets[item + 1] - out->offsets[item]);
    char *into = out->values + (size_t)out->offsets[item] * row_bytes;
    if (maker->model->result == MODEL_IDS)
        memcpy(into, shard->texts.ids + first, rows * row_bytes);
    else if (out->type == SHARD_F32)
        memcpy(into, computed + from * out->width, rows * row_bytes);
    else
        for (size_t i = 0; i < rows * out->width; i++) {
            const uint16_t half = f16_from_float(computed[from * out->width + i]);
            memcpy(into + 2 * i, &half, sizeof half);
        }
}

static int fill_rows(const struct text_shard *shard, const struct text_shard_maker *maker, const float *computed, struct rows_out *out, struct reason *why)
{
    for (size_t i = 0; i < shard->texts.texts; i++) {
        if (shard->texts.distinct_of[i] != TOKEN_BATCH_NONE)
            put_computed(shard, maker, computed, out, i);
        else if (shard->finished[i].shard && copy_finished(&shard->finished[i], out, i, why) < 0)
            return -1;
    }
    return 0;
}

static int write_rows(const struct text_shard *shard, const struct text_shard_maker *maker, const struct rows_out *out, struct reason *why)
{
    const size_t items = shard->texts.texts;
    const int one_row = maker->model->result == MODEL_EMBEDDINGS;
    const struct shard_tensor tensors[] = {
        {.name = "offsets", .type = SHARD_I64, .dimensions = 1, .shape = {items + 1, 1}, .values = out->offsets},
        {.name = "n_tokens", .type = SHARD_I32, .dimensions = 1, .shape = {items, 1}, .values = out->tokens},
        {.name = out->name, .type = out->type, .dimensions = maker->model->result == MODEL_IDS ? 1 : 2, .shape = {(uint64_t)out->offsets[items], out->width},
         .values = out->values},
    };
    return shard_write(shard->out, "reprise emb 1", maker->signature, shard->records.bytes, tensors + one_row, 3 - (size_t)one_row, why);
}

int text_shard_write(struct text_shard *shard, const struct text_shard_maker *maker, const float *computed, struct reason *why)
{
    const struct model_folder *model = maker->model;
    const size_t items = shard->texts.texts;
    struct rows_out out = {.name = "embedding", .type = model->half ? SHARD_F16 : SHARD_F32, .width = model->dimension, .value_bytes = model->half ? 2 : 4};
    if (model->result == MODEL_STATES)
        out.name = "states", out.width = model->hidden;
    if (model->result == MODEL_IDS)
        out.name = "ids", out.width = 1, out.type = SHARD_I32;
    out.offsets = calloc(items + 1, sizeof *out.offsets);
    out.tokens = calloc(items + 1, sizeof *out.tokens);
    int result = out.offsets && out.tokens ? place_rows(shard, maker, &out, why) : fail(why, "out of memory");
    if (result == 0 && !(out.values = calloc((size_t)out.offsets[items] * out.width + 1, out.value_bytes)))
        result = fail(why, "out of memory");
    if (result == 0)
        result = fill_rows(shard, maker, computed, &out, why);
    if (result == 0)
        result = write_rows(shard, maker, &out, why);
    free(out.offsets);
    free(out.tokens);
    free(out.values);
    return result;
}

void text_shard_free(struct text_shard *shard)
{
    item_list_free(&shard->list);
    token_batch_free(&shard->texts);
    text_free(&shard->records);
    free(shard->finished);
    shard->records = (struct text_buffer){0};
    shard->finished = NULL;
}
