#include "piece.h"

#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "hash.h"
#include "set_aside.h"
#include "text_buffer.h"

#define LINE_START "{\"xxh3\":\""
static const size_t digits_at = sizeof LINE_START - 1;
static const char no_digits[HASH_HEX + 1] = "00000000000000000000000000000000";

/* The hash of line and body, the line's own digits taken as zeros. -1 without memory. */
static int hash_of(const char *line, size_t line_length, const char *body, size_t body_length, struct hash *hash)
{
    struct hash_state *state = hash_start();
    if (!state)
        return -1;
    hash_add(state, line, digits_at);
    hash_add(state, no_digits, HASH_HEX);
    hash_add(state, line + digits_at + HASH_HEX, line_length - digits_at - HASH_HEX);
    hash_add(state, body, body_length);
    *hash = hash_end(state);
    return 0;
}

/* The hash that a piece is called by; -1 for a file with another kind of name. */
static int name_in(const char *path, struct hash *name)
{
    const char *slash = strrchr(path, '/');
    return hash_from_hex(slash ? slash + 1 : path, name);
}

int piece_write(const char *path, const struct piece_counts *counts, const char *errors_json, const char *body, size_t body_length, struct reason *why)
{
    struct text_buffer line = {0};
    struct hash hash, name = {0};
    char hex[HASH_HEX + 1];
    name_in(path, &name);
    hash_to_hex(name, hex);
    text_printf(&line,
                LINE_START "%s\",\"format\":\"reprise piece 2\",\"name\":\"%s\",\"pairs\":%zu,\"items\":%zu,\"midi_done\":%zu,\"text_done\":%zu,\"tokens\":%llu,\"notes\":%llu,"
                           "\"embedding_size\":%zu,\"seconds\":",
                no_digits, hex, counts->pairs, counts->items, counts->midi_done, counts->text_done, counts->tokens, counts->notes, counts->embedding_size);
    text_add_double(&line, counts->seconds);
    text_printf(&line, ",\"errors\":%s}\n", errors_json);
    if (line.failed || hash_of(line.bytes, line.count, body, body_length, &hash) < 0) {
        text_free(&line);
        return fail(why, "%s: out of memory", path);
    }
    hash_to_hex(hash, hex);
    memcpy(line.bytes + digits_at, hex, HASH_HEX);
    struct atomic_file *file = atomic_file_open(path, why);
    if (file) {
        atomic_file_write(file, line.bytes, line.count);
        atomic_file_write(file, body, body_length);
    }
    text_free(&line);
    return file ? atomic_file_commit(file, why) : -1;
}

static size_t whole(struct json_span value)
{
    return (size_t)strtoull(value.text, NULL, 10);
}

/* The hash has been checked, so the line is as piece_write wrote it; but perhaps under another name. */
static int read_line(struct piece *piece, const char *path, struct reason *why)
{
    struct json_span key, value;
    struct hash name, stated = {0};
    const char *cursor = (const char *)piece->file.bytes;
    int known = 0;
    piece->counts = (struct piece_counts){0};
    while (json_next_member(&cursor, &key, &value)) {
        struct piece_counts *counts = &piece->counts;
        if (json_string_is(key, "format"))
            known = json_string_is(value, "reprise piece 2");
        else if (json_string_is(key, "name"))
            hash_from_hex(value.text + 1, &stated);
        else if (json_string_is(key, "pairs"))
            counts->pairs = whole(value);
        else if (json_string_is(key, "items"))
            counts->items = whole(value);
        else if (json_string_is(key, "midi_done"))
            counts->midi_done = whole(value);
        else if (json_string_is(key, "text_done"))
            counts->text_done = whole(value);
        else if (json_string_is(key, "tokens"))
            counts->tokens = whole(value);
        else if (json_string_is(key, "notes"))
            counts->notes = whole(value);
        else if (json_string_is(key, "embedding_size"))
            counts->embedding_size = whole(value);
        else if (json_string_is(key, "seconds"))
            counts->seconds = strtod(value.text, NULL);
        else if (json_string_is(key, "errors"))
            piece->errors = value;
    }
    if (!known || !piece->errors.text)
        return fail(why, "a piece of another version");
    return name_in(path, &name) == 0 && !hash_equal(name, stated) ? fail(why, "misplaced: it was made under another name") : 0;
}

/* 0; 1 with `why`: damaged; -1 with `why`: it could not be found out. */
static int check(struct piece *piece, const char *path, struct reason *why)
{
    const char *bytes = (const char *)piece->file.bytes;
    const char *newline = memchr(bytes, '\n', piece->file.count);
    struct hash stated, found;
    if (!newline || (size_t)(newline - bytes) < digits_at + HASH_HEX || memcmp(bytes, LINE_START, digits_at) != 0 ||
        hash_from_hex(bytes + digits_at, &stated) < 0) {
        fail(why, "damaged: not a piece");
        return 1;
    }
    size_t line_length = (size_t)(newline - bytes) + 1;
    piece->body = newline + 1;
    piece->body_length = piece->file.count - line_length;
    if (hash_of(bytes, line_length, piece->body, piece->body_length, &found) < 0)
        return fail(why, "out of memory");
    if (hash_equal(found, stated))
        return read_line(piece, path, why) < 0 ? 1 : 0;
    fail(why, "damaged: its contents do not have the hash that it states");
    return 1;
}

int piece_read(const char *path, struct piece *piece, struct reason *why)
{
    if (whole_file_read(path, &piece->file, why) < 0)
        return -1;
    int problem = check(piece, path, why);
    if (problem > 0)
        set_aside(path, why);
    return problem ? -1 : 0;
}

void piece_error_line(struct json_span error, size_t first, struct text_buffer *line)
{
    struct json_span key, value;
    text_add_string(line, "{\"index\":");
    for (const char *cursor = error.text; json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "index"))
            text_printf(line, "%zu", first + (size_t)strtoull(value.text, NULL, 10));
        else
            text_printf(line, ",%.*s:%.*s", (int)key.length, key.text, (int)value.length, value.text);
    }
    text_add_string(line, "}\n");
}

void piece_free(struct piece *piece)
{
    whole_file_free(&piece->file);
}
