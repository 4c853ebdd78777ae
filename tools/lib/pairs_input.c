#include "pairs_input.h"

#include <string.h>

#include "json_stream.h"
#include "text_buffer.h"

struct reading {
    struct json_stream stream;
    struct pair_fields fields;
    pair_visitor *visit;
    void *context;
    size_t index;
    struct text_buffer item, midi, text, text_file, carried;
    int collision_told;
};

/* What Reprise writes itself: an input that is an earlier output must not carry its old results along. */
static int is_output_field(struct json_span key)
{
    static const char *const names[] = {"midi_file", "text_description", "midi_tokens", "midi_metadata", "text_features", "sequence_length"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_string_is(key, names[i]))
            return 1;
    return 0;
}

enum role { ROLE_MIDI, ROLE_MIDI_OTHER, ROLE_TEXT, ROLE_TEXT_OTHER, ROLE_TEXT_FILE, ROLE_CARRIED };

static enum role role_of(const struct reading *reading, struct json_span key)
{
    if (json_string_is(key, reading->fields.midi ? reading->fields.midi : "midi_file"))
        return ROLE_MIDI;
    if (!reading->fields.midi && json_string_is(key, "midi_path"))
        return ROLE_MIDI_OTHER;
    if (json_string_is(key, reading->fields.text ? reading->fields.text : "text_description"))
        return ROLE_TEXT;
    if (!reading->fields.text && json_string_is(key, "text"))
        return ROLE_TEXT_OTHER;
    if (json_string_is(key, "text_file"))
        return ROLE_TEXT_FILE;
    return ROLE_CARRIED;
}

static void carry(struct reading *reading, struct json_span key, struct json_span value)
{
    if (is_output_field(key)) {
        if (!reading->collision_told)
            message(MESSAGE_DEBUG, NULL, "the input's field %.*s has the name of a field of the output: not carried", (int)key.length, key.text);
        reading->collision_told = 1;
        return;
    }
    if (reading->carried.count > 1)
        text_add(&reading->carried, ",", 1);
    text_add(&reading->carried, key.text, key.length);
    text_add(&reading->carried, ":", 1);
    text_add(&reading->carried, value.text, value.length);
}

/* The members that play a role, by role; of a repeated key the last one counts, as in Python. */
struct members { struct json_span keys[ROLE_CARRIED], values[ROLE_CARRIED]; };

static void sort_members(struct reading *reading, struct members *members)
{
    struct json_span key, value;
    const char *cursor = reading->item.bytes;
    while (json_next_member(&cursor, &key, &value)) {
        enum role role = role_of(reading, key);
        if (role == ROLE_CARRIED) {
            carry(reading, key, value);
        } else {
            members->keys[role] = key;
            members->values[role] = value;
        }
    }
}

/* Decodes the string in role `first`, or else in `second`, into `out`; if both are there the second is carried like any other field. 1 if found, 0 if not, -1 with `why`. */
static int take_string(struct reading *reading, const struct members *members, enum role first, enum role second, struct text_buffer *out,
                       struct reason *why)
{
    enum role role = members->values[first].text ? first : second;
    struct json_span key = members->keys[role], value = members->values[role];
    if (!value.text)
        return 0;
    if (role != second && members->values[second].text)
        carry(reading, members->keys[second], members->values[second]);
    text_clear(out);
    if (json_decode_string(value, out) < 0)
        return fail(why, "%.*s must be a string", (int)(key.length < 100 ? key.length : 100), key.text);
    return 1;
}

static int read_fields(struct reading *reading, struct pair *pair, struct reason *why)
{
    struct members members = {0};
    if (reading->item.bytes[0] != '{')
        return fail(why, "a pair must be an object {…}");
    text_clear(&reading->carried);
    text_add(&reading->carried, "{", 1);
    sort_members(reading, &members);
    int midi = take_string(reading, &members, ROLE_MIDI, ROLE_MIDI_OTHER, &reading->midi, why);
    int text = midi < 0 ? -1 : take_string(reading, &members, ROLE_TEXT, ROLE_TEXT_OTHER, &reading->text, why);
    int file = text < 0 ? -1 : text > 0 ? 0 : take_string(reading, &members, ROLE_TEXT_FILE, ROLE_TEXT_FILE, &reading->text_file, why);
    if (file < 0)
        return -1;
    if (text > 0 && members.values[ROLE_TEXT_FILE].text)
        carry(reading, members.keys[ROLE_TEXT_FILE], members.values[ROLE_TEXT_FILE]);
    text_add(&reading->carried, "}", 1);
    if (!midi)
        return fail(why, "no \"%s\"", reading->fields.midi ? reading->fields.midi : "midi_file");
    if (!text && !file)
        return fail(why, "no \"%s\" and no \"text_file\"", reading->fields.text ? reading->fields.text : "text_description");
    pair->midi = reading->midi.bytes;
    pair->midi_length = reading->midi.count;
    pair->text = text ? reading->text.bytes : NULL;
    pair->text_length = text ? reading->text.count : 0;
    pair->text_file = text ? NULL : reading->text_file.bytes;
    pair->text_file_length = text ? 0 : reading->text_file.count;
    pair->carried = reading->carried.bytes;
    pair->carried_length = reading->carried.count;
    if (reading->midi.failed || reading->text.failed || reading->text_file.failed || reading->carried.failed)
        return fail(why, "out of memory");
    return 0;
}

/* The pair whose text stands in reading->item. */
static int visit_item(struct reading *reading, size_t line, struct reason *why)
{
    struct pair pair = {.index = reading->index++, .line = line};
    struct reason inner;
    if (read_fields(reading, &pair, &inner) < 0)
        return fail(why, "line %zu: pair %zu: %s", line, pair.index + 1, inner.text);
    return reading->visit(reading->context, &pair, why);
}

static int read_item(struct reading *reading, struct reason *why)
{
    text_clear(&reading->item);
    json_peek(&reading->stream);
    size_t line = reading->stream.line;
    if (json_scan_value(&reading->stream, &reading->item, why) < 0)
        return -1;
    return visit_item(reading, line, why);
}

static int read_array(struct reading *reading, struct reason *why)
{
    struct json_stream *stream = &reading->stream;
    if (json_expect(stream, '[', why) < 0)
        return -1;
    if (json_peek(stream) == ']')
        return json_expect(stream, ']', why);
    for (;;) {
        if (read_item(reading, why) < 0)
            return -1;
        if (json_peek(stream) != ',')
            return json_expect(stream, ']', why);
        if (json_expect(stream, ',', why) < 0)
            return -1;
    }
}

/* An object at the top: {"pairs": […], …}, read as a stream, or the first of JSON lines, collected as a pair. */
static int read_object(struct reading *reading, int *was_container, struct reason *why)
{
    struct json_stream *stream = &reading->stream;
    size_t line = stream->line;
    *was_container = 0;
    text_clear(&reading->item);
    if (json_expect(stream, '{', why) < 0)
        return -1;
    text_add(&reading->item, "{", 1);
    while (json_peek(stream) != '}') {
        size_t key_at = reading->item.count;
        if (json_scan_value(stream, &reading->item, why) < 0)
            return -1;
        struct json_span key = {reading->item.bytes + key_at, reading->item.count - key_at};
        if (key.text[0] != '"')
            return fail(why, "line %zu: a key must be a string", stream->line);
        int is_pairs = json_string_is(key, "pairs");
        if (json_expect(stream, ':', why) < 0)
            return -1;
        text_add(&reading->item, ":", 1);
        if (is_pairs) {
            if (json_peek(stream) != '[')
                return fail(why, "line %zu, column %zu: \"pairs\" must be a list", stream->line, stream->column);
            if (*was_container)
                return fail(why, "line %zu: \"pairs\" stands there twice", stream->line);
            *was_container = 1;
            if (read_array(reading, why) < 0)
                return -1;
            text_clear(&reading->item); /* what stands beside the pairs (processing_options) is not needed */
        } else if (json_scan_value(stream, *was_container ? NULL : &reading->item, why) < 0) {
            return -1;
        }
        if (json_peek(stream) != ',')
            break;
        text_add(&reading->item, ",", 1);
        if (json_expect(stream, ',', why) < 0)
            return -1;
        if (json_peek(stream) == '}')
            return fail(why, "line %zu, column %zu: '}' where a key should stand", stream->line, stream->column);
    }
    if (json_expect(stream, '}', why) < 0)
        return -1;
    text_add(&reading->item, "}", 1);
    return *was_container ? 0 : visit_item(reading, line, why);
}

static int read_stream(struct reading *reading, struct reason *why)
{
    struct json_stream *stream = &reading->stream;
    int first = json_peek(stream), was_container = 1, result;
    if (first == '[') {
        result = read_array(reading, why);
    } else if (first == '{') {
        result = read_object(reading, &was_container, why);
    } else if (first < 0) {
        if (json_read_error(stream, why) < 0)
            return -1;
        return fail(why, "the file is empty: a JSON list of pairs, an object with \"pairs\", or JSON lines are expected");
    } else {
        return fail(why, "line %zu, column %zu: neither a JSON list, nor an object, nor JSON lines", stream->line, stream->column);
    }
    while (result == 0 && !was_container && json_peek(stream) >= 0)
        result = read_item(reading, why);
    if (result == 0 && json_peek(stream) >= 0)
        return fail(why, "line %zu, column %zu: something follows after the end of the pairs", stream->line, stream->column);
    return result < 0 ? -1 : json_read_error(stream, why);
}

int pairs_read(const char *path, const struct pair_fields *fields, pair_visitor *visit, void *context, struct reason *why)
{
    struct reading reading = {.fields = *fields, .visit = visit, .context = context};
    if (json_stream_open(&reading.stream, path, why) < 0)
        return -1;
    int result = read_stream(&reading, why);
    json_stream_close(&reading.stream);
    text_free(&reading.item);
    text_free(&reading.midi);
    text_free(&reading.text);
    text_free(&reading.text_file);
    text_free(&reading.carried);
    return result;
}
