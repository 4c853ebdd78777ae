#include "item_json.h"

#include <string.h>

#include "token_list.h"

int item_tokens_open(const struct shard *tok, struct item_tokens *tokens, struct reason *why)
{
    uint64_t shape[2];
    *tokens = (struct item_tokens){.ids = shard_tensor(tok, "ids", SHARD_I32, shape)};
    tokens->vocabularies = shape[1];
    tokens->offsets = shard_tensor(tok, "offsets", SHARD_I64, shape);
    tokens->sequences = shard_tensor(tok, "sequence_offsets", SHARD_I64, shape);
    tokens->item_sequences = shard_tensor(tok, "item_sequences", SHARD_I64, shape);
    return tokens->ids && tokens->offsets ? 0 : fail(why, "a tensor is missing");
}

size_t item_tokens_count(const struct item_tokens *tokens, size_t item)
{
    return (size_t)(tokens->offsets[item + 1] - tokens->offsets[item]);
}

/* Rows [from, to) of the ids, as one list. */
static void add_rows(struct text_buffer *out, const struct item_tokens *tokens, int64_t from, int64_t to)
{
    text_add(out, "[", 1);
    for (int64_t row = from; row < to; row++) {
        const int32_t *id = tokens->ids + (uint64_t)row * tokens->vocabularies;
        if (row > from)
            text_add(out, ",", 1);
        if (tokens->vocabularies > 1)
            text_add(out, "[", 1);
        for (uint64_t i = 0; i < tokens->vocabularies && id[i] != TOKEN_NONE; i++) {
            if (i > 0)
                text_add(out, ",", 1);
            text_add_integer(out, id[i]);
        }
        if (tokens->vocabularies > 1)
            text_add(out, "]", 1);
    }
    text_add(out, "]", 1);
}

void add_item_tokens(struct text_buffer *out, const struct item_tokens *tokens, size_t item)
{
    if (!tokens->sequences || !tokens->item_sequences) {
        add_rows(out, tokens, tokens->offsets[item], tokens->offsets[item + 1]);
        return;
    }
    text_add_string(out, "[");
    for (int64_t sequence = tokens->item_sequences[item]; sequence < tokens->item_sequences[item + 1]; sequence++) {
        if (sequence > tokens->item_sequences[item])
            text_add_string(out, ",");
        add_rows(out, tokens, tokens->sequences[sequence], tokens->sequences[sequence + 1]);
    }
    text_add_string(out, "]");
}

void add_embedding(struct text_buffer *out, const float *row, uint64_t dimension)
{
    text_add_string(out, "[");
    for (uint64_t i = 0; i < dimension; i++) {
        if (i > 0)
            text_add(out, ",", 1);
        text_add_float(out, row[i]);
    }
    text_add_string(out, "]");
}

static void add_span(struct text_buffer *out, struct json_span span)
{
    text_add(out, span.text, span.length);
}

void add_midi_metadata(struct text_buffer *out, const struct shard *tok, size_t item, struct json_span midi_file)
{
    struct text_buffer path = {0};
    text_add(&path, "", 0);
    if (json_decode_string(midi_file, &path) < 0 || path.failed)
        out->failed = 1;
    const char *whole = out->failed ? "" : path.bytes, *slash = strrchr(whole, '/'), *name = slash ? slash + 1 : whole;
    text_add_string(out, "{\"file_path\":");
    add_span(out, midi_file);
    text_add_string(out, ",\"file_name\":");
    text_add_json_string(out, name, strlen(name));
    text_free(&path);
    struct json_span key, value;
    for (const char *cursor = shard_item_json(tok, item); json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "key"))
            continue;
        text_add_string(out, ",");
        add_span(out, key);
        text_add_string(out, ":");
        add_span(out, value);
    }
    text_add_string(out, "}");
}
