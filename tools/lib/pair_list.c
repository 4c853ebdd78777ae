#include "pair_list.h"

#include <stdlib.h>

#include "text_buffer.h"

struct pair_list { struct json_stream stream; struct text_buffer line; };

struct pair_list *pair_list_open(const char *path, struct reason *why)
{
    struct pair_list *list = calloc(1, sizeof *list);
    if (!list) {
        fail(why, "out of memory");
        return NULL;
    }
    if (json_stream_open(&list->stream, path, why) == 0)
        return list;
    free(list);
    return NULL;
}

static int is_string(struct json_span span)
{
    return span.length >= 2 && span.text[0] == '"';
}

int pair_list_next(struct pair_list *list, struct listed_pair *pair, struct reason *why)
{
    if (json_peek(&list->stream) < 0)
        return json_read_error(&list->stream, why);
    size_t number = list->stream.line;
    text_clear(&list->line);
    if (json_scan_value(&list->stream, &list->line, why) < 0)
        return -1;
    const char *cursor = list->line.bytes;
    if (*cursor == '[' && json_next_element(&cursor, &pair->midi_file) && is_string(pair->midi_file) && json_next_element(&cursor, &pair->text) &&
        is_string(pair->text) && json_next_element(&cursor, &pair->fields) && pair->fields.text[0] == '{')
        return 1;
    return fail(why, "line %zu: not a list of pairs", number);
}

void pair_list_close(struct pair_list *list)
{
    if (!list)
        return;
    json_stream_close(&list->stream);
    text_free(&list->line);
    free(list);
}
