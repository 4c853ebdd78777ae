#include "imported_shards.h"

#include <stdlib.h>
#include <unistd.h>

#include "shard.h"
#include "work_files.h"

int imported_shards_next(struct imported_shards *shards, struct hash group, struct reason *why)
{
    if ((!hash_equal(group, shards->group) || shards->count == IMPORTED_SHARD_ITEMS) && imported_shards_flush(shards, why) < 0)
        return -1;
    shards->group = group;
    return 0;
}

static int add_key(struct imported_shards *shards, struct hash key, struct reason *why)
{
    text_add(&shards->keys, (const char *)&key, sizeof key);
    shards->count++;
    return shards->keys.failed ? fail(why, "out of memory") : 0;
}

int imported_shards_add_tokens(struct imported_shards *shards, struct hash key, const struct token_layout *tokens, const char *members, struct reason *why)
{
    struct tok_shard *tok = &shards->tok;
    int by_sequence = tokens->sequences != NULL;
    if (shards->count > 0 && ((size_t)tok->columns != tokens->vocabularies || shards->by_sequence != by_sequence)) {
        fail(why, "its tokens lie in another way than its neighbours'");
        return 1;
    }
    tok->columns = (int)tokens->vocabularies;
    shards->by_sequence = by_sequence;
    if (!by_sequence && tok_shard_add_sequence(tok, tokens->ids, tokens->rows, why) < 0)
        return -1;
    size_t row = 0;
    for (size_t i = 0; i < tokens->sequence_count; row += tokens->sequences[i++])
        if (tok_shard_add_sequence(tok, tokens->ids + row * tokens->vocabularies, tokens->sequences[i], why) < 0)
            return -1;
    if (tok_shard_end_item(tok, key, members, why) < 0)
        return -1;
    return add_key(shards, key, why);
}

int imported_shards_add_embedding(struct imported_shards *shards, struct hash key, const float *row, size_t dimension, int32_t n_tokens, struct reason *why)
{
    char hex[HASH_HEX + 1];
    if (shards->count > 0 && dimension != shards->dimension) {
        fail(why, "%zu numbers where its neighbours have %zu", dimension, shards->dimension);
        return 1;
    }
    shards->dimension = dimension;
    hash_to_hex(key, hex);
    text_printf(&shards->records, "%s{\"key\":\"%s\"}", shards->count ? "," : "[", hex);
    text_add(&shards->rows, (const char *)row, dimension * sizeof *row);
    text_add(&shards->n_tokens, (const char *)&n_tokens, sizeof n_tokens);
    if (shards->records.failed || shards->rows.failed || shards->n_tokens.failed)
        return fail(why, "out of memory");
    return add_key(shards, key, why);
}

static int write_texts(struct imported_shards *shards, const char *path, struct reason *why)
{
    text_add_string(&shards->records, "]");
    const struct shard_tensor tensors[] = {
        {.name = "n_tokens", .type = SHARD_I32, .dimensions = 1, .shape = {shards->count, 1}, .values = shards->n_tokens.bytes},
        {.name = "embedding", .type = SHARD_F32, .dimensions = 2, .shape = {shards->count, shards->dimension}, .values = shards->rows.bytes},
    };
    return shards->records.failed ? fail(why, "out of memory")
                                  : shard_write(path, shard_format(SHARD_OF_TEXT), shards->signature, shards->records.bytes, tensors, 2, why);
}

int imported_shards_flush(struct imported_shards *shards, struct reason *why)
{
    if (shards->count == 0)
        return 0;
    struct hash name = hash_bytes(shards->keys.bytes, shards->keys.count);
    char *path = shard_file(shards->work, shards->kind, shards->signature, name);
    int result = path ? 0 : fail(why, "out of memory");
    if (result == 0 && access(path, F_OK) < 0)
        result = shards->kind == SHARD_OF_MIDI ? tok_shard_write(&shards->tok, path, shards->signature, shards->by_sequence, why) : write_texts(shards, path, why);
    if (result == 0)
        result = known_shards_add(shards->known, shards->kind, name, (const void *)shards->keys.bytes, shards->count, why);
    free(path);
    tok_shard_free(&shards->tok);
    text_clear(&shards->records);
    text_clear(&shards->rows);
    text_clear(&shards->n_tokens);
    text_clear(&shards->keys);
    shards->count = 0;
    return result;
}

void imported_shards_free(struct imported_shards *shards)
{
    tok_shard_free(&shards->tok);
    text_free(&shards->records);
    text_free(&shards->rows);
    text_free(&shards->n_tokens);
    text_free(&shards->keys);
}
