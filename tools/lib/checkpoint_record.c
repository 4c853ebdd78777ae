#include "checkpoint_record.h"

struct part { const void *bytes; size_t count; };

/* Of the parts with their lengths, so that nothing can move from one to the next unnoticed. 0, -1 without memory. */
static int check_of(struct hash key, const struct part *parts, size_t count, struct hash *check)
{
    struct hash_state *state = hash_start();
    if (!state)
        return -1;
    hash_add(state, &key, sizeof key);
    for (size_t i = 0; i < count; i++) {
        const uint64_t length = parts[i].count;
        hash_add(state, &length, sizeof length);
        if (length > 0)
            hash_add(state, parts[i].bytes, parts[i].count);
    }
    *check = hash_end(state);
    return 0;
}

int check_of_tokens(struct hash key, const struct token_layout *tokens, const char *members, size_t length, struct hash *check)
{
    const uint64_t vocabularies = tokens->vocabularies;
    const struct part parts[] = {
        {tokens->ids, tokens->rows * tokens->vocabularies * sizeof *tokens->ids},
        {members, length},
        {&vocabularies, sizeof vocabularies},
        {tokens->sequences, tokens->sequence_count * sizeof *tokens->sequences},
    };
    return check_of(key, parts, tokens->sequences ? 4 : vocabularies > 1 ? 3 : 2, check);
}

int check_of_embedding(struct hash key, const float *embedding, size_t dimension, int32_t n_tokens, struct hash *check)
{
    const struct part parts[] = {{embedding, dimension * sizeof *embedding}, {&n_tokens, sizeof n_tokens}};
    return check_of(key, parts, 2, check);
}

/* Past the closing quotation mark of the string that begins at `at`. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* A value in the words that Reprise would write it in: another program may have written the file again, and escapes other characters. */
static void add_as_written(struct text_buffer *out, struct json_span value)
{
    struct text_buffer decoded = {0};
    const char *at = value.text, *end = value.text + value.length;
    while (at < end) {
        const char *next = *at == '"' ? string_end(at, end) : at + 1;
        text_clear(&decoded);
        if (*at == '"' && json_decode_string((struct json_span){at, (size_t)(next - at)}, &decoded) == 0)
            text_add_json_string(out, decoded.count ? decoded.bytes : "", decoded.count);
        else
            text_add(out, at, (size_t)(next - at));
        out->failed |= decoded.failed;
        at = next;
    }
    text_free(&decoded);
}

void add_recorded_members(struct text_buffer *out, const char *object)
{
    struct json_span key, value;
    for (const char *cursor = object; json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "key") || json_string_is(key, "file_path") || json_string_is(key, "file_name"))
            continue;
        if (out->count > 0)
            text_add(out, ",", 1);
        text_add(out, key.text, key.length);
        text_add(out, ":", 1);
        add_as_written(out, value);
    }
}
