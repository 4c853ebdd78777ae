#include "checkpoint_item.h"

#include <math.h>
#include <stdlib.h>

#include "grow.h"
#include "json_stream.h"

enum { MOST_VOCABULARIES = 64 }; /* far more than any tokenization has */

static int parse_tokens(struct checkpoint_item *item, struct json_span list, struct reason *why)
{
    struct token_input *tokens = &item->tokens;
    if (token_input_read_ids(tokens, list, why) < 0)
        return -1;
    for (size_t i = 0; i < tokens->id_count; i++)
        if (tokens->ids[i] < 0)
            return fail(why, "id %zu is none: %d", i + 1, tokens->ids[i]);
    return tokens->id_count > 0 ? 0 : fail(why, "it has no tokens");
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

/* 0: a number that none can have; then the tokens do not fit it. */
static size_t stated_vocabularies(struct json_span value)
{
    const long number = strtol(value.text, NULL, 10);
    return number > 0 && number <= MOST_VOCABULARIES ? (size_t)number : 0;
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
        else if (json_string_is(key, "vocabularies"))
            item->form.vocabularies = stated_vocabularies(value);
        else if (json_string_is(key, "sequences"))
            item->form.by_sequence = *value.text == 't';
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
    for (const char *cursor = object; *object == '{' && json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "file_path") && item->name.count == 0 && set_name(item, value, why) < 0)
            return -1;
        if (json_string_is(key, "programs") && item->programs.count == 0 && *value.text == '[')
            text_add(&item->programs, value.text, value.length);
    }
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
        return json_string_is(key, "tokens") && item->tokens.id_count == 0 ? parse_tokens(item, value, why) : 0;
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
    text_clear(&item->programs);
    item->tokens.id_count = item->dimension = 0;
    item->layout = (struct token_layout){0};
    item->form = (struct token_form){1, 1, 0};
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
    if (item->name.failed || item->cleaned.failed || item->row.failed || item->members.failed || item->programs.failed)
        return fail(why, "out of memory");
    if (result == 0 && item->name.count == 0)
        return fail(why, kind == SHARD_OF_MIDI ? "it has no file_path" : "it has no original_text");
    if (result == 0 && (kind == SHARD_OF_MIDI ? item->tokens.id_count : item->dimension) == 0)
        return fail(why, kind == SHARD_OF_MIDI ? "it has no tokens" : "it has no embedding");
    return result;
}

int checkpoint_item_lay_out(struct checkpoint_item *item, const struct token_form *form, struct reason *why)
{
    struct token_rows *rows = NULL;
    size_t count = 0;
    if (form->vocabularies == 0)
        return fail(why, "it does not state of how many ids a token is");
    if (token_input_arrange(&item->tokens, form->least, form->vocabularies, form->by_sequence, &rows, &count, why) < 0)
        return -1;
    item->layout = (struct token_layout){.ids = rows[0].ids, .vocabularies = form->vocabularies};
    int result = GROW(item->sequences, item->sequence_capacity, count, why);
    for (size_t i = 0; i < count && result == 0; i++) {
        item->sequences[i] = rows[i].count;
        item->layout.rows += rows[i].count;
    }
    free(rows);
    if (form->by_sequence) {
        item->layout.sequences = item->sequences;
        item->layout.sequence_count = count;
    }
    return result;
}

int checkpoint_item_is_intact(const struct checkpoint_item *item, enum shard_kind kind)
{
    struct hash check;
    int result = kind == SHARD_OF_MIDI
                     ? check_of_tokens(item->key, &item->layout, item->members.bytes, item->members.count, &check)
                     : check_of_embedding(item->key, (const float *)(const void *)item->row.bytes, item->dimension, item->n_tokens, &check);
    return result < 0 ? -1 : hash_equal(check, item->check);
}

void checkpoint_item_free(struct checkpoint_item *item)
{
    text_free(&item->name);
    text_free(&item->cleaned);
    text_free(&item->row);
    text_free(&item->members);
    text_free(&item->programs);
    token_input_free(&item->tokens);
    free(item->sequences);
    *item = (struct checkpoint_item){0};
}
