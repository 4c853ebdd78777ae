#include "item_list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_stream.h"
#include "text_buffer.h"
#include "whole_file.h"

/* While the arena grows its address changes, so items hold offsets into it until the end. */
static const size_t no_reason = SIZE_MAX;

struct item_offsets { struct hash key; size_t value, value_length, unusable; };

struct parsing {
    struct text_buffer arena, line;
    struct item_offsets *items;
    size_t count, capacity;
};

static int add_string(struct parsing *parsing, struct json_span span, size_t *offset, size_t *length)
{
    *offset = parsing->arena.count;
    if (json_decode_string(span, &parsing->arena) < 0)
        return -1;
    *length = parsing->arena.count - *offset;
    text_add(&parsing->arena, "", 1);
    return 0;
}

static struct item_offsets *new_item(struct parsing *parsing)
{
    if (parsing->count == parsing->capacity) {
        size_t capacity = parsing->capacity ? parsing->capacity * 2 : 512;
        struct item_offsets *items = reallocarray(parsing->items, capacity, sizeof *items);
        if (!items)
            return NULL;
        parsing->items = items;
        parsing->capacity = capacity;
    }
    return &parsing->items[parsing->count++];
}

static int parse_line(struct parsing *parsing, struct reason *why)
{
    const char *cursor = parsing->line.bytes;
    struct json_span span;
    struct item_offsets *item = new_item(parsing);
    if (!item)
        return fail(why, "out of memory");
    item->unusable = no_reason;
    if (*cursor != '[' || !json_next_element(&cursor, &span) || span.length != HASH_HEX + 2 || hash_from_hex(span.text + 1, &item->key) < 0)
        return fail(why, "not an item list: no key");
    if (!json_next_element(&cursor, &span) || add_string(parsing, span, &item->value, &item->value_length) < 0)
        return fail(why, "not an item list: no value");
    size_t length;
    if (json_next_element(&cursor, &span) && add_string(parsing, span, &item->unusable, &length) < 0)
        return fail(why, "not an item list: the third element is no text");
    return 0;
}

static int parse_lines(struct parsing *parsing, struct json_stream *stream, struct reason *why)
{
    while (json_peek(stream) >= 0) {
        size_t line = stream->line;
        struct reason inner;
        text_clear(&parsing->line);
        if (json_scan_value(stream, &parsing->line, why) < 0)
            return -1;
        if (parse_line(parsing, &inner) < 0)
            return fail(why, "line %zu: %s", line, inner.text);
    }
    return parsing->arena.failed ? fail(why, "out of memory") : 0;
}

static int hand_over(struct parsing *parsing, struct item_list *list, struct reason *why)
{
    struct item *items = calloc(parsing->count ? parsing->count : 1, sizeof *items);
    if (!items)
        return fail(why, "out of memory");
    for (size_t i = 0; i < parsing->count; i++) {
        const struct item_offsets *from = &parsing->items[i];
        items[i] = (struct item){.key = from->key, .value = parsing->arena.bytes + from->value, .value_length = from->value_length};
        if (from->unusable != no_reason)
            items[i].unusable = parsing->arena.bytes + from->unusable;
    }
    *list = (struct item_list){.items = items, .count = parsing->count, .storage = parsing->arena.bytes};
    parsing->arena = (struct text_buffer){0};
    return 0;
}

int item_list_read(const char *path, struct item_list *list, struct reason *why)
{
    struct whole_file file = {0};
    struct parsing parsing = {0};
    *list = (struct item_list){0};
    int result = whole_file_read(path, &file, why);
    if (result == 0) {
        struct json_stream stream;
        json_stream_memory(&stream, (const char *)file.bytes, file.count);
        result = parse_lines(&parsing, &stream, why);
    }
    if (result == 0)
        result = hand_over(&parsing, list, why);
    whole_file_free(&file);
    text_free(&parsing.arena);
    text_free(&parsing.line);
    free(parsing.items);
    return result;
}

void item_list_free(struct item_list *list)
{
    free(list->items);
    free(list->storage);
    *list = (struct item_list){0};
}
