#include "tok_shard.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

static size_t columns_of(const struct tok_shard *shard)
{
    return shard->columns > 0 ? (size_t)shard->columns : 1;
}

static int64_t rows_of(const struct tok_shard *shard)
{
    return (int64_t)(shard->tokens.count / columns_of(shard));
}

int tok_shard_end_sequence(struct tok_shard *shard, struct reason *why)
{
    if (GROW(shard->sequence_ends, shard->sequence_capacity, shard->sequences + 1, why) < 0)
        return -1;
    shard->sequence_ends[shard->sequences++] = rows_of(shard);
    return 0;
}

static int end_item(struct tok_shard *shard, struct reason *why)
{
    if (GROW(shard->item_ends, shard->end_capacity, shard->items + 1, why) < 0 ||
        GROW(shard->item_sequences, shard->item_sequence_capacity, shard->items + 1, why) < 0)
        return -1;
    shard->item_ends[shard->items] = rows_of(shard);
    shard->item_sequences[shard->items++] = (int64_t)shard->sequences;
    return shard->records.failed ? fail(why, "out of memory") : 0;
}

int tok_shard_end_item(struct tok_shard *shard, struct hash key, const char *record, struct reason *why)
{
    char hex[HASH_HEX + 1];
    hash_to_hex(key, hex);
    text_printf(&shard->records, "%s{\"key\":\"%s\",", shard->items == 0 ? "[" : ",\n", hex);
    text_add_string(&shard->records, record);
    text_add_string(&shard->records, "}");
    return end_item(shard, why);
}

int tok_shard_add_sequence(struct tok_shard *shard, const int32_t *ids, size_t rows, struct reason *why)
{
    struct token_list *tokens = &shard->tokens;
    size_t count = rows * columns_of(shard);
    if (GROW(tokens->ids, tokens->capacity, tokens->count + count, why) < 0)
        return -1;
    if (count > 0)
        memcpy(tokens->ids + tokens->count, ids, count * sizeof *ids);
    tokens->count += count;
    return tok_shard_end_sequence(shard, why);
}

int tok_shard_copy_item(struct tok_shard *shard, const struct shard *from, size_t item, int by_sequence, struct reason *why)
{
    uint64_t shape[2], ids_shape[2];
    const int32_t *ids = shard_tensor(from, "ids", SHARD_I32, ids_shape);
    const int64_t *ends = shard_tensor(from, by_sequence ? "sequence_offsets" : "offsets", SHARD_I64, shape);
    const int64_t *item_sequences = by_sequence ? shard_tensor(from, "item_sequences", SHARD_I64, shape) : NULL;
    if (!ids || ids_shape[1] != columns_of(shard) || !ends || (by_sequence && !item_sequences))
        return fail(why, "a shard to copy from holds other tensors than its signature says");
    int64_t first = by_sequence ? item_sequences[item] : (int64_t)item, last = by_sequence ? item_sequences[item + 1] : first + 1;
    for (int64_t sequence = first; sequence < last; sequence++)
        if (tok_shard_add_sequence(shard, ids + (size_t)ends[sequence] * columns_of(shard), (size_t)(ends[sequence + 1] - ends[sequence]), why) < 0)
            return -1;
    text_add_string(&shard->records, shard->items == 0 ? "[" : ",\n");
    text_add_string(&shard->records, shard_item_json(from, item));
    return end_item(shard, why);
}

int tok_shard_quarantine(struct tok_shard *shard, struct hash key, const char *error, struct reason *why)
{
    shard->tokens.count = shard->items > 0 ? (size_t)shard->item_ends[shard->items - 1] * columns_of(shard) : 0;
    shard->sequences = shard->items > 0 ? (size_t)shard->item_sequences[shard->items - 1] : 0;
    struct text_buffer record = {0};
    text_add_string(&record, "\"error\":");
    text_add_json_string(&record, error, strlen(error));
    int result = record.failed ? fail(why, "out of memory") : tok_shard_end_item(shard, key, record.bytes, why);
    text_free(&record);
    return result;
}

/* Ends become offsets: a 0 in front. */
static int64_t *offsets(const int64_t *ends, size_t count)
{
    int64_t *result = malloc((count + 1) * sizeof *result);
    if (!result)
        return NULL;
    result[0] = 0;
    if (count > 0)
        memcpy(result + 1, ends, count * sizeof *result);
    return result;
}

int tok_shard_write(struct tok_shard *shard, const char *path, const char *signature, int by_sequence, struct reason *why)
{
    int64_t *items = offsets(shard->item_ends, shard->items), *sequences = offsets(shard->sequence_ends, shard->sequences),
            *item_sequences = offsets(shard->item_sequences, shard->items);
    text_add_string(&shard->records, shard->items == 0 ? "[]" : "]");
    struct shard_tensor tensors[] = {
        {"offsets", SHARD_I64, 1, {shard->items + 1, 1}, items},
        {"sequence_offsets", SHARD_I64, 1, {shard->sequences + 1, 1}, sequences},
        {"item_sequences", SHARD_I64, 1, {shard->items + 1, 1}, item_sequences},
        {"ids", SHARD_I32, columns_of(shard) > 1 ? 2 : 1, {(uint64_t)rows_of(shard), columns_of(shard)}, shard->tokens.ids},
    };
    if (!by_sequence)
        tensors[1] = tensors[3];
    int result = !items || !sequences || !item_sequences || shard->records.failed
                     ? fail(why, "out of memory")
                     : shard_write(path, TOK_FORMAT, signature, shard->records.bytes, tensors, by_sequence ? 4 : 2, why);
    free(items);
    free(sequences);
    free(item_sequences);
    return result;
}

void tok_shard_free(struct tok_shard *shard)
{
    free(shard->tokens.ids);
    free(shard->tokens.times);
    free(shard->item_ends);
    free(shard->sequence_ends);
    free(shard->item_sequences);
    text_free(&shard->records);
    *shard = (struct tok_shard){0};
}
