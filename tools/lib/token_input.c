#include "token_input.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "item_json.h"
#include "json_stream.h"
#include "operands.h"
#include "shard.h"
#include "text_buffer.h"
#include "tok_shard.h"
#include "whole_file.h"

#define MOST_LEVELS 3

void token_input_free(struct token_input *file)
{
    free(file->ids);
    free(file->inner_ends);
    free(file->outer_ends);
    free(file->encoded);
    free(file->programs);
    free(file->filled);
    *file = (struct token_input){0};
}

/* ---- the lists of ids ---- */

/* How deep the first number stands; where there is none, how deep the lists go. 4 and more are refused later. */
static int depth_of(struct json_span list)
{
    int level = 0, deepest = 0;
    for (size_t i = 0; i < list.length; i++) {
        char c = list.text[i];
        level += c == '[' ? 1 : c == ']' ? -1 : 0;
        if (level > deepest)
            deepest = level;
        if (c != '[' && c != ']' && c != ',')
            return level;
    }
    return deepest;
}

static int add_number(struct token_input *file, struct json_span number, struct reason *why)
{
    char text[16], *end;
    int whole = number.length > 0 && number.length < sizeof text;
    memcpy(text, number.text, whole ? number.length : 0);
    text[whole ? number.length : 0] = 0;
    long value = whole ? strtol(text, &end, 10) : 0;
    if (!whole || *end || end == text || value < INT32_MIN || value > INT32_MAX)
        return fail(why, "%.*s: where a token's id must stand", (int)(number.length < 40 ? number.length : 40), number.text);
    if (GROW(file->ids, file->id_capacity, file->id_count + 1, why) < 0)
        return -1;
    file->ids[file->id_count++] = (int32_t)value;
    return 0;
}

static int end_list(struct token_input *file, int level, struct reason *why)
{
    if (level == file->depth) {
        if (GROW(file->inner_ends, file->inner_capacity, file->inner_count + 1, why) < 0)
            return -1;
        file->inner_ends[file->inner_count++] = file->id_count;
    } else if (level == 2) {
        if (GROW(file->outer_ends, file->outer_capacity, file->outer_count + 1, why) < 0)
            return -1;
        file->outer_ends[file->outer_count++] = file->inner_count;
    }
    return 0;
}

static int read_list(struct token_input *file, struct json_span list, int level, struct reason *why)
{
    if (list.length == 0 || list.text[0] != '[')
        return fail(why, "the ids are no list");
    const char *cursor = list.text;
    for (struct json_span value; json_next_element(&cursor, &value);) {
        int nested = value.text[0] == '[';
        if (nested ? level == file->depth : level != file->depth)
            return fail(why, "lists of ids are nested unevenly");
        if ((nested ? read_list(file, value, level + 1, why) : add_number(file, value, why)) < 0)
            return -1;
    }
    return end_list(file, level, why);
}

int token_input_read_ids(struct token_input *file, struct json_span list, struct reason *why)
{
    file->id_count = file->inner_count = file->outer_count = 0;
    file->depth = depth_of(list);
    if (file->depth > MOST_LEVELS)
        return fail(why, "lists of ids are nested more than %d deep", MOST_LEVELS);
    return read_list(file, list, 1, why);
}

/* ---- what stands beside them ---- */

static int add_encoded(struct token_input *file, struct json_span value, struct reason *why)
{
    if (value.text[0] != 't' && value.text[0] != 'f')
        return fail(why, "ids_encoded holds something else than true and false");
    if (GROW(file->encoded, file->encoded_capacity, file->encoded_count + 1, why) < 0)
        return -1;
    file->encoded[file->encoded_count++] = value.text[0] == 't';
    return 0;
}

static int read_encoded(struct token_input *file, struct json_span value, struct reason *why)
{
    if (value.text[0] == 'n')
        return 0;
    if (value.text[0] != '[')
        return add_encoded(file, value, why);
    const char *cursor = value.text;
    for (struct json_span element; json_next_element(&cursor, &element);)
        if (add_encoded(file, element, why) < 0)
            return -1;
    return 0;
}

/* [program, is_drum] */
static int add_program(struct token_input *file, struct json_span value, struct reason *why)
{
    const char *cursor = value.text;
    struct json_span number, drum;
    if (value.text[0] != '[' || !json_next_element(&cursor, &number) || !json_next_element(&cursor, &drum) || !strchr("tf01", drum.text[0]))
        return fail(why, "programs holds something else than [program, is_drum]");
    char *end;
    long program = strtol(number.text, &end, 10);
    if (end != number.text + number.length || program < -1 || program > 127)
        return fail(why, "%.*s: where a program from -1 to 127 must stand", (int)(number.length < 40 ? number.length : 40), number.text);
    if (GROW(file->programs, file->program_capacity, file->program_count + 1, why) < 0)
        return -1;
    file->programs[file->program_count++] = (struct token_program){program < 0 ? 0 : (int)program, program < 0 || drum.text[0] == 't' || drum.text[0] == '1'};
    return 0;
}

static int read_programs(struct token_input *file, struct json_span value, struct reason *why)
{
    if (value.text[0] == 'n')
        return 0;
    const char *cursor = value.text;
    if (value.text[0] != '[')
        return fail(why, "programs is no list");
    file->program_count = 0;
    for (struct json_span element; json_next_element(&cursor, &element);)
        if (add_program(file, element, why) < 0)
            return -1;
    return 0;
}

/* What a dataset's item and a checkpoint's record have of the file, in an object of its own. */
static int read_recorded_programs(struct token_input *file, struct json_span object, struct reason *why)
{
    const char *cursor = object.text;
    for (struct json_span key, value; object.text[0] == '{' && json_next_member(&cursor, &key, &value);)
        if (json_string_is(key, "programs") && file->program_count == 0 && read_programs(file, value, why) < 0)
            return -1;
    return 0;
}

/* `text`: as json_scan_value gives it. An object with "ids" (or "midi_tokens", as an item of a dataset, or "tokens", as a checkpoint's record), or a list. */
static int read_value(struct token_input *file, struct json_span text, struct reason *why)
{
    file->id_count = file->inner_count = file->outer_count = file->encoded_count = file->program_count = 0;
    if (text.text[0] == '[')
        return token_input_read_ids(file, text, why);
    if (text.text[0] != '{')
        return fail(why, "no list of ids and no object with \"ids\"");
    const char *cursor = text.text;
    int found = 0;
    for (struct json_span key, value; json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "ids") || json_string_is(key, "midi_tokens") || json_string_is(key, "tokens")) {
            if (token_input_read_ids(file, value, why) < 0)
                return -1;
            found = 1;
        } else if ((json_string_is(key, "ids_encoded") && read_encoded(file, value, why) < 0) ||
                   (json_string_is(key, "programs") && read_programs(file, value, why) < 0) ||
                   ((json_string_is(key, "midi_metadata") || json_string_is(key, "metadata")) && read_recorded_programs(file, value, why) < 0)) {
            return -1;
        }
    }
    return found ? 0 : fail(why, "no \"ids\", \"midi_tokens\" or \"tokens\" in it");
}

/* ---- the files ---- */

static int read_next_value(struct json_stream *stream, struct token_input *file, struct reason *why)
{
    struct text_buffer text = {0};
    int result = json_scan_value(stream, &text, why);
    if (result == 0)
        result = read_value(file, (struct json_span){text.bytes, text.count}, why);
    text_free(&text);
    return result;
}

int token_input_read_text(const char *text, size_t count, struct token_input *file, struct reason *why)
{
    struct json_stream stream;
    json_stream_memory(&stream, text, count);
    int result = read_next_value(&stream, file, why);
    if (result == 0 && json_peek(&stream) >= 0)
        result = fail(why, "something else follows the ids");
    json_stream_close(&stream);
    return result;
}

static int read_shard(const char *path, size_t item, struct token_input *file, struct reason *why)
{
    struct shard *shard = shard_open(path, TOK_FORMAT, why);
    struct item_tokens tokens;
    struct text_buffer text = {0};
    int result = shard ? item_tokens_open(shard, &tokens, why) : -1;
    if (result == 0 && item >= shard_items(shard))
        result = fail(why, "no item %zu: it holds %zu, counted from 0", item, shard_items(shard));
    if (result == 0 && shard_item_error(shard, item))
        result = fail(why, "item %zu has no tokens: %s", item, shard_item_error(shard, item));
    if (result == 0) {
        add_item_tokens(&text, &tokens, item);
        result = text.failed ? fail(why, "out of memory") : token_input_read_text(text.bytes, text.count, file, why);
    }
    if (result == 0) {
        const char *record = shard_item_json(shard, item);
        result = read_recorded_programs(file, (struct json_span){record, strlen(record)}, why);
    }
    text_free(&text);
    if (shard)
        shard_close(shard);
    return result;
}

/* Whether an object begins that has a list of items as a member, as a checkpoint has: then the stream stands before the list. 1, 0; -1 with `why`. */
static int find_list(struct json_stream *stream, struct reason *why)
{
    struct text_buffer key = {0};
    int result = json_peek(stream) == '{' ? json_expect(stream, '{', why) : 1, is_list = 0;
    while (result == 0 && !is_list && json_peek(stream) != '}') {
        text_clear(&key);
        if (json_scan_value(stream, &key, why) < 0 || json_expect(stream, ':', why) < 0)
            result = -1;
        else if (key.failed)
            result = fail(why, "out of memory");
        struct json_span name = {key.bytes, key.count};
        is_list = result == 0 && json_peek(stream) == '[' && json_string_is(name, "processed_data");
        if (result == 0 && !is_list && json_scan_value(stream, NULL, why) < 0)
            result = -1;
        if (result == 0 && !is_list && json_peek(stream) == ',' && json_expect(stream, ',', why) < 0)
            result = -1;
    }
    text_free(&key);
    return result < 0 ? -1 : is_list;
}

/* Skips to the item: of a list, or of lines of JSON. */
static int read_list_item(struct json_stream *stream, size_t item, struct token_input *file, struct reason *why)
{
    int list = json_peek(stream) == '[';
    if (list && json_expect(stream, '[', why) < 0)
        return -1;
    for (size_t i = 0;; i++) {
        int next = json_peek(stream);
        if (next < 0 || next == ']')
            return json_read_error(stream, why) < 0 ? -1 : fail(why, "no item %zu: it holds %zu, counted from 0", item, i);
        if (i == item)
            return read_next_value(stream, file, why);
        if (json_scan_value(stream, NULL, why) < 0 || (list && json_peek(stream) == ',' && json_expect(stream, ',', why) < 0))
            return -1;
    }
}

/* Whether this is a dataset, a checkpoint or another list of objects. */
static int holds_items(const char *path)
{
    struct json_stream stream;
    if (json_stream_open(&stream, path, NULL) < 0)
        return 0;
    int in_list = find_list(&stream, NULL) > 0 || json_peek(&stream) == '[';
    int result = in_list && json_expect(&stream, '[', NULL) == 0 && json_peek(&stream) == '{';
    json_stream_close(&stream);
    return result;
}

int token_input_read(const char *path, size_t item, struct token_input *file, struct reason *why)
{
    if (ends_with(path, ".tok"))
        return item == TOKEN_INPUT_NO_ITEM ? fail(why, "a shard of many items: which one, from 0, must be said (--item)") : read_shard(path, item, file, why);
    if (item != TOKEN_INPUT_NO_ITEM) {
        struct json_stream stream;
        int result = json_stream_open(&stream, path, why);
        if (result == 0 && (result = find_list(&stream, why)) == 0) {
            json_stream_close(&stream);
            result = json_stream_open(&stream, path, why) < 0 ? -1 : 1;
        }
        if (result > 0)
            result = read_list_item(&stream, item, file, why);
        json_stream_close(&stream);
        return result;
    }
    struct whole_file bytes = {0};
    int result = whole_file_read(path, &bytes, why);
    if (result == 0)
        result = token_input_read_text((const char *)bytes.bytes, bytes.count, file, why);
    whole_file_free(&bytes);
    if (result < 0 && !is_out_of_memory(why) && holds_items(path))
        return fail(why, "a list of items: which one, from 0, must be said (--item)");
    return result;
}

/* ---- what the levels mean ---- */

static int encoded_of(const struct token_input *file, size_t sequence)
{
    if (file->encoded_count == 1)
        return file->encoded[0];
    return sequence < file->encoded_count ? file->encoded[sequence] : -1;
}

/* Each innermost list is a token: whether all are as wide as they may be, and in *uneven whether some are narrower than others. */
static int check_width(const struct token_input *file, size_t least, size_t width, int *uneven, struct reason *why)
{
    for (size_t i = 0; i < file->inner_count; i++) {
        size_t ids = file->inner_ends[i] - (i > 0 ? file->inner_ends[i - 1] : 0);
        if (ids < least || ids > width)
            return fail(why, "a token of %zu ids, where this tokenizer's have %zu", ids, width);
        *uneven |= ids < width;
    }
    return 0;
}

static int fill_up(struct token_input *file, size_t width, struct reason *why)
{
    free(file->filled);
    file->filled = reallocarray(NULL, file->inner_count, width * sizeof *file->filled);
    if (!file->filled)
        return fail(why, "out of memory");
    size_t from = 0;
    for (size_t row = 0; row < file->inner_count; row++)
        for (size_t column = 0; column < width; column++)
            file->filled[row * width + column] = from < file->inner_ends[row] ? file->ids[from++] : TOKEN_NONE;
    return 0;
}

int token_input_arrange(struct token_input *file, size_t least, size_t width, int tracks, struct token_rows **rows, size_t *count, struct reason *why)
{
    int within = width > 1 ? 2 : 1, uneven = 0; /* within: levels of a sequence */
    *count = 0;
    *rows = NULL;
    if (file->id_count == 0)
        return 0;
    if (file->depth < within || file->depth > within + 1)
        return fail(why, "ids nested %d deep, where this tokenizer's are %d deep%s", file->depth, within, tracks ? ", or one more for the tracks" : "");
    if (width > 1 && (check_width(file, least, width, &uneven, why) < 0 || (uneven && fill_up(file, width, why) < 0)))
        return -1;
    /* The ends of the sequences, in ids or in tokens; a single sequence ends with the last. */
    const size_t *ends = file->depth <= within ? NULL : width > 1 ? file->outer_ends : file->inner_ends;
    size_t sequences = !ends ? 1 : width > 1 ? file->outer_count : file->inner_count, tokens = width > 1 ? file->inner_count : file->id_count;
    const int32_t *ids = uneven ? file->filled : file->ids;
    if (!tracks && sequences > 1)
        return fail(why, "%zu sequences, where this tokenizer makes one of all tracks", sequences);
    *rows = calloc(sequences, sizeof **rows);
    if (!*rows)
        return fail(why, "out of memory");
    size_t begin = 0;
    for (size_t i = 0; i < sequences; i++) {
        size_t end = ends ? ends[i] : tokens;
        (*rows)[i] = (struct token_rows){ids + begin * width, end - begin, encoded_of(file, i)};
        begin = end;
    }
    *count = sequences;
    return 0;
}
