#include "checkpoint_item.h"

#include <math.h>
#include <stdlib.h>

#include "checkpoint_record.h"
#include "grow.h"
#include "json_stream.h"

static int parse_tokens(struct checkpoint_item *item, struct json_span list, struct reason *why)
{
    struct json_span element;
    struct token_list *tokens = &item->tokens;
    if (*list.text != '[')
        return fail(why, "its tokens are no list");
    for (const char *cursor = list.text; json_next_element(&cursor, &element);) {
        char *end;
        long long id = strtoll(element.text, &end, 10);
        if (end != element.text + element.length || id < 0 || id > INT32_MAX)
            return fail(why, "token %zu is no token id: %.*s", tokens->count + 1, element.length > 40 ? 40 : (int)element.length, element.text);
        if (GROW(tokens->ids, tokens->capacity, tokens->count + 1, why) < 0)
            return -1;
        tokens->ids[tokens->count++] = (int32_t)id;
    }
    return tokens->count > 0 ? 0 : fail(why, "it has no tokens");
}

static int parse_row(struct checkpoint_item *item, struct json_span list, struct reason *why)
{
    struct json_span element;
    if (*list.text != '[')
        return fail(why, "its embedding is no list");
    for (const char *cursor = list.text; json_next_element(&cursor, &element); item->dimension++) {
        char *end;
        float value = strtof(element.text, &end);
        if (end != element.text + element.length || !isfinite(value))
            return fail(why, "number %zu of its embedding is none", item->dimension + 1);
        text_add(&item->row, (const char *)&value, sizeof value);
    }
    return item->dimension > 0 ? 0 : fail(why, "its embedding is empty");
}

static struct hash stated_hash(struct json_span value)
{
    struct hash hash = {0};
    if (value.length != HASH_HEX + 2 || hash_from_hex(value.text + 1, &hash) < 0)
        return (struct hash){0};
    return hash;
}

static void parse_statement(struct checkpoint_item *item, const char *object)
{
    struct json_span key, value;
    for (const char *cursor = object; *object == '{' && json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "key"))
            item->key = stated_hash(value);
        else if (json_string_is(key, "shard"))
            item->shard = stated_hash(value);
        else if (json_string_is(key, "check"))
            item->check = stated_hash(value);
        else if (json_string_is(key, "n_tokens"))
            item->n_tokens = (int32_t)strtol(value.text, NULL, 10);
    }
}

static int set_name(struct checkpoint_item *item, struct json_span value, struct reason *why)
{
    text_clear(&item->name);
    text_add(&item->name, "", 0);
    return json_decode_string(value, &item->name) < 0 ? fail(why, "its path or text is no string") : 0;
}

static int parse_metadata(struct checkpoint_item *item, const char *object, struct reason *why)
{
    struct json_span key, value;
    for (const char *cursor = object; *object == '{' && json_next_member(&cursor, &key, &value);)
        if (json_string_is(key, "file_path") && item->name.count == 0 && set_name(item, value, why) < 0)
            return -1;
    if (*object == '{')
        add_recorded_members(&item->members, object);
    return 0;
}

static int parse_member(struct checkpoint_item *item, enum shard_kind kind, struct json_span key, struct json_span value, struct reason *why)
{
    if (json_string_is(key, "reprise"))
        parse_statement(item, value.text);
    if (kind == SHARD_OF_MIDI) {
        if (json_string_is(key, "file_path"))
            return set_name(item, value, why);
        if (json_string_is(key, "metadata"))
            return parse_metadata(item, value.text, why);
        return json_string_is(key, "tokens") && item->tokens.count == 0 ? parse_tokens(item, value, why) : 0;
    }
    if (json_string_is(key, "original_text"))
        return set_name(item, value, why);
    if (json_string_is(key, "cleaned_text"))
        return json_decode_string(value, &item->cleaned) < 0 ? fail(why, "its cleaned_text is no string") : 0;
    return (json_string_is(key, "embedding") || json_string_is(key, "bert_embedding")) && item->dimension == 0 ? parse_row(item, value, why) : 0;
}

static void clear(struct checkpoint_item *item)
{
    text_clear(&item->name);
    text_clear(&item->cleaned);
    text_clear(&item->row);
    text_clear(&item->members);
    item->tokens.count = item->dimension = 0;
    item->key = item->shard = item->check = (struct hash){0};
    item->n_tokens = 0;
}

int checkpoint_item_parse(struct checkpoint_item *item, enum shard_kind kind, const char *record, struct reason *why)
{
    struct json_span key, value;
    struct reason first;
    int result = 0;
    clear(item);
    if (*record != '{')
        return fail(why, "not an object");
    /* All members are looked at, so that the name is known even if something else is wrong. */
    for (const char *cursor = record; json_next_member(&cursor, &key, &value);)
        if (parse_member(item, kind, key, value, result == 0 ? why : &first) < 0)
            result = -1;
    if (item->name.failed || item->cleaned.failed || item->row.failed || item->members.failed)
        return fail(why, "out of memory");
    if (result == 0 && item->name.count == 0)
        return fail(why, kind == SHARD_OF_MIDI ? "it has no file_path" : "it has no original_text");
    if (result == 0 && (kind == SHARD_OF_MIDI ? item->tokens.count : item->dimension) == 0)
        return fail(why, kind == SHARD_OF_MIDI ? "it has no tokens" : "it has no embedding");
    return result;
}

int checkpoint_item_is_intact(const struct checkpoint_item *item, enum shard_kind kind)
{
    struct hash check;
    int result = kind == SHARD_OF_MIDI
                     ? check_of_tokens(item->key, item->tokens.ids, item->tokens.count, item->members.bytes, item->members.count, &check)
                     : check_of_embedding(item->key, (const float *)(const void *)item->row.bytes, item->dimension, item->n_tokens, &check);
    return result < 0 ? -1 : hash_equal(check, item->check);
}

void checkpoint_item_free(struct checkpoint_item *item)
{
    text_free(&item->name);
    text_free(&item->cleaned);
    text_free(&item->row);
    text_free(&item->members);
    free(item->tokens.ids);
    *item = (struct checkpoint_item){0};
}
