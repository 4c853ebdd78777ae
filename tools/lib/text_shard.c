#include "text_shard.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hash.h"
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
        fail(why, "%s", item->unusable ? item->unusable : verdict);
        return token_batch_add_none(&shard->texts, why) < 0 ? -1 : 1;
    }
    struct finished_text *finished = &shard->finished[index];
    finished->shard = maker->reuse ? reuse_find(maker->reuse, item->key, &finished->item) : NULL;
    if (finished->shard)
        return token_batch_add_none(&shard->texts, why);
    take_in_hand(maker, shard->first + index, 1);
    if (!hash_equal(hash_bytes(item->value, item->value_length), item->key))
        return fail(why, "line %zu: the text is not the one its key was made from; the list is damaged", index + 1);
    int result = token_batch_add(&shard->texts, maker->tokenizer, item->value, item->value_length, maker->model->max_tokens, why);
    take_in_hand(maker, 0, 0);
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
            message(MESSAGE_WARNING, shard->in, "line %zu: not embedded: %s", i + 1, why->text);
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

/* The rows of all items: computed ones, those that finished shards hold, zeros for the others; and each item's number of tokens. rows [items, dimension], tokens [items] */
static int fill_rows(const struct text_shard *shard, size_t dimension, const float *embeddings, float *rows, int32_t *tokens, struct reason *why)
{
    uint64_t shape[2], counts[2];
    for (size_t i = 0; i < shard->texts.texts; i++) {
        const struct finished_text *finished = &shard->finished[i];
        tokens[i] = (int32_t)token_batch_tokens(&shard->texts, i);
        if (shard->texts.distinct_of[i] != TOKEN_BATCH_NONE)
            memcpy(rows + i * dimension, embeddings + shard->texts.distinct_of[i] * dimension, dimension * sizeof *rows);
        if (!finished->shard)
            continue;
        const float *embedding = shard_tensor(finished->shard, "embedding", SHARD_F32, shape); /* [items, dimension] */
        const int32_t *n_tokens = shard_tensor(finished->shard, "n_tokens", SHARD_I32, counts);
        if (!embedding || !n_tokens || shape[1] != dimension)
            return fail(why, "a finished shard of the same signature has other tensors");
        memcpy(rows + i * dimension, embedding + finished->item * dimension, dimension * sizeof *embedding);
        tokens[i] = n_tokens[finished->item];
    }
    return 0;
}

int text_shard_write(struct text_shard *shard, const struct text_shard_maker *maker, const float *embeddings, struct reason *why)
{
    const size_t items = shard->texts.texts, dimension = maker->model->dimension;
    float *rows = calloc(items * dimension + 1, sizeof *rows);
    int32_t *tokens = calloc(items + 1, sizeof *tokens);
    int result = rows && tokens ? fill_rows(shard, dimension, embeddings, rows, tokens, why) : fail(why, "out of memory");
    const struct shard_tensor tensors[] = {
        {.name = "embedding", .type = SHARD_F32, .dimensions = 2, .shape = {items, dimension}, .values = rows},
        {.name = "n_tokens", .type = SHARD_I32, .dimensions = 1, .shape = {items, 1}, .values = tokens},
    };
    if (result == 0)
        result = shard_write(shard->out, "reprise emb 1", maker->signature, shard->records.bytes, tensors, 2, why);
    free(rows);
    free(tokens);
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
