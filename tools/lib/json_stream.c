#include "json_stream.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"
#include "whole_file.h"

enum { CHUNK = 1 << 16, DEPTH_LIMIT = 512 };

static size_t read_chunk(struct json_stream *stream)
{
    size_t got = fread(stream->chunk, 1, CHUNK, stream->file);
    if (ferror(stream->file) && !stream->error)
        stream->error = errno;
    return got;
}

int json_stream_open(struct json_stream *stream, const char *path, struct reason *why)
{
    struct stat status;
    *stream = (struct json_stream){.line = 1, .column = 1};
    int descriptor = open_regular(path, &status, why);
    if (descriptor < 0)
        return -1;
    stream->chunk = malloc(CHUNK);
    if (!stream->chunk || !(stream->file = fdopen(descriptor, "r"))) {
        close(descriptor);
        json_stream_close(stream);
        return fail(why, "out of memory");
    }
    stream->at = stream->end = stream->chunk;
    stream->end += read_chunk(stream);
    stream->at += utf8_mark(stream->at, (size_t)(stream->end - stream->at));
    return 0;
}

void json_stream_memory(struct json_stream *stream, const char *bytes, size_t count)
{
    *stream = (struct json_stream){.at = bytes, .end = bytes + count, .line = 1, .column = 1};
}

void json_stream_close(struct json_stream *stream)
{
    if (stream->file)
        fclose(stream->file);
    free(stream->chunk);
    *stream = (struct json_stream){0};
}

int json_read_error(const struct json_stream *stream, struct reason *why)
{
    return stream->error ? fail(why, "line %zu: read: %s", stream->line, strerror(stream->error)) : 0;
}

/* The next byte, not consumed; -1 at the end. */
static int peek(struct json_stream *stream)
{
    if (stream->at == stream->end) {
        if (!stream->file)
            return -1;
        size_t got = read_chunk(stream);
        stream->at = stream->chunk;
        stream->end = stream->chunk + got;
        if (got == 0)
            return -1;
    }
    return (unsigned char)*stream->at;
}

static void advance(struct json_stream *stream)
{
    if (*stream->at++ == '\n') {
        stream->line++;
        stream->column = 1;
    } else {
        stream->column++;
    }
}

static void take(struct json_stream *stream, struct text_buffer *text)
{
    if (text)
        text_add(text, stream->at, 1);
    advance(stream);
}

static int fault(const struct json_stream *stream, struct reason *why, const char *what)
{
    if (json_read_error(stream, why) < 0)
        return -1;
    return fail(why, "line %zu, column %zu: %s", stream->line, stream->column, what);
}

static int unexpected(struct json_stream *stream, struct reason *why, const char *wanted)
{
    int c = peek(stream);
    char what[128];
    if (c < 0)
        snprintf(what, sizeof what, "the file ends where %s should stand", wanted);
    else if (c > 0x20 && c < 0x7f)
        snprintf(what, sizeof what, "'%c' where %s should stand", c, wanted);
    else
        snprintf(what, sizeof what, "byte 0x%02x where %s should stand", (unsigned)c, wanted);
    return fault(stream, why, what);
}

int json_peek(struct json_stream *stream)
{
    int c;
    while ((c = peek(stream)) == ' ' || c == '\n' || c == '\r' || c == '\t')
        advance(stream);
    return c;
}

int json_expect(struct json_stream *stream, char wanted, struct reason *why)
{
    if (json_peek(stream) != wanted) {
        char name[4] = {'\'', wanted, '\'', 0};
        return unexpected(stream, why, name);
    }
    advance(stream);
    return 0;
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hexadecimal(int c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int scan_string(struct json_stream *stream, struct text_buffer *text, struct reason *why)
{
    take(stream, text);
    for (;;) {
        /* The run of plain bytes within this chunk, at once. */
        const char *from = stream->at;
        while (stream->at < stream->end && *stream->at != '"' && *stream->at != '\\' && (unsigned char)*stream->at >= 0x20)
            stream->at++;
        stream->column += (size_t)(stream->at - from);
        if (text && stream->at > from)
            text_add(text, from, (size_t)(stream->at - from));
        int c = peek(stream);
        if (c == '"') {
            take(stream, text);
            return 0;
        }
        if (c < 0)
            return fault(stream, why, "the file ends inside a string");
        if (c < 0x20)
            return fault(stream, why, "control character inside a string (it must be escaped)");
        if (c != '\\')
            continue; /* a new chunk begins */
        take(stream, text);
        c = peek(stream);
        if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
            return unexpected(stream, why, "an escape (one of \" \\ / b f n r t u)");
        take(stream, text);
        for (int i = 0; c == 'u' && i < 4; i++) {
            if (hexadecimal(peek(stream)) < 0)
                return unexpected(stream, why, "a hexadecimal digit");
            take(stream, text);
        }
    }
}

static int scan_digits(struct json_stream *stream, struct text_buffer *text, struct reason *why)
{
    if (!is_digit(peek(stream)))
        return unexpected(stream, why, "a digit");
    while (is_digit(peek(stream)))
        take(stream, text);
    return 0;
}

static int scan_number(struct json_stream *stream, struct text_buffer *text, struct reason *why)
{
    if (peek(stream) == '-')
        take(stream, text);
    if (peek(stream) == '0') {
        take(stream, text);
        if (is_digit(peek(stream)))
            return fault(stream, why, "a number must not begin with 0");
    } else if (scan_digits(stream, text, why) < 0) {
        return -1;
    }
    if (peek(stream) == '.') {
        take(stream, text);
        if (scan_digits(stream, text, why) < 0)
            return -1;
    }
    if (peek(stream) == 'e' || peek(stream) == 'E') {
        take(stream, text);
        if (peek(stream) == '+' || peek(stream) == '-')
            take(stream, text);
        return scan_digits(stream, text, why);
    }
    return 0;
}

static int scan_word(struct json_stream *stream, const char *word, struct text_buffer *text, struct reason *why)
{
    for (; *word; word++) {
        if (peek(stream) != *word)
            return unexpected(stream, why, "true, false or null");
        take(stream, text);
    }
    return 0;
}

static int scan_scalar(struct json_stream *stream, int c, struct text_buffer *text, struct reason *why)
{
    if (c == '"')
        return scan_string(stream, text, why);
    if (c == '-' || is_digit(c))
        return scan_number(stream, text, why);
    if (c == 't')
        return scan_word(stream, "true", text, why);
    if (c == 'f')
        return scan_word(stream, "false", text, why);
    if (c == 'n')
        return scan_word(stream, "null", text, why);
    if (c == 'N' || c == 'I')
        return fault(stream, why, "NaN and Infinity are not JSON");
    return unexpected(stream, why, "a value");
}

/* A member's key and colon. */
static int scan_key(struct json_stream *stream, struct text_buffer *text, struct reason *why)
{
    if (json_peek(stream) != '"')
        return unexpected(stream, why, "a key (a string)");
    if (scan_string(stream, text, why) < 0)
        return -1;
    if (json_peek(stream) != ':')
        return unexpected(stream, why, "':'");
    take(stream, text);
    return 0;
}

/* Without recursion: `open` holds the closing bracket that each level waits for. */
int json_scan_value(struct json_stream *stream, struct text_buffer *text, struct reason *why)
{
    char open[DEPTH_LIMIT];
    int depth = 0;
    for (;;) {
        int c = json_peek(stream), opened = c == '{' || c == '[';
        if (opened) {
            if (depth == DEPTH_LIMIT)
                return fault(stream, why, "nested more than 512 deep");
            open[depth++] = c == '{' ? '}' : ']';
            take(stream, text);
            if (json_peek(stream) != open[depth - 1]) {
                if (c == '{' && scan_key(stream, text, why) < 0)
                    return -1;
                continue;
            }
        } else if (scan_scalar(stream, c, text, why) < 0) {
            return -1;
        }
        /* A value is complete: close levels until one goes on. */
        for (;;) {
            if (depth == 0)
                return text && text->failed ? fail(why, "out of memory") : 0;
            c = json_peek(stream);
            if (c == ',') {
                take(stream, text);
                if (open[depth - 1] == '}' && scan_key(stream, text, why) < 0)
                    return -1;
                break;
            }
            if (c != open[depth - 1])
                return unexpected(stream, why, open[depth - 1] == '}' ? "',' or '}'" : "',' or ']'");
            take(stream, text);
            depth--;
        }
    }
}

/* ---- walking over validated, compact text ---- */

static const char *end_of_string(const char *at)
{
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

static const char *end_of_value(const char *at)
{
    int depth = 0;
    for (;;) {
        char c = *at;
        if (c == '"') {
            at = end_of_string(at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            at++;
            continue;
        } else {
            while (*at && !strchr(",:]}", *at))
                at++;
        }
        if (depth == 0)
            return at;
    }
}

int json_next_element(const char **cursor, struct json_span *value)
{
    const char *at = *cursor + 1; /* past '[' or ',' */
    if (*at == ']' || **cursor == ']')
        return 0;
    *cursor = end_of_value(at);
    *value = (struct json_span){at, (size_t)(*cursor - at)};
    return 1;
}

int json_next_member(const char **cursor, struct json_span *key, struct json_span *value)
{
    const char *at = *cursor + 1; /* past '{' or ',' */
    if (*at == '}' || **cursor == '}')
        return 0;
    const char *colon = end_of_string(at);
    *key = (struct json_span){at, (size_t)(colon - at)};
    *cursor = end_of_value(colon + 1);
    *value = (struct json_span){colon + 1, (size_t)(*cursor - colon - 1)};
    return 1;
}

static uint32_t four_digits(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)hexadecimal((unsigned char)at[i]);
    return value;
}

/* One escape at `at` (the backslash); returns the byte after it. */
static const char *decode_escape(const char *at, const char *end, struct text_buffer *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *known = strchr(names, at[1]);
    if (known) {
        text_add(out, values + (known - names), 1);
        return at + 2;
    }
    uint32_t unit = four_digits(at + 2);
    at += 6;
    if (unit >= 0xd800 && unit < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = four_digits(at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            at += 6;
        }
    }
    char bytes[4];
    if (unit >= 0xdc80 && unit <= 0xdcff) {
        bytes[0] = (char)(unit & 0xff);
        text_add(out, bytes, 1);
    } else {
        text_add(out, bytes, utf8_encode(unit, bytes));
    }
    return at;
}

int json_decode_string(struct json_span span, struct text_buffer *out)
{
    if (span.length < 2 || span.text[0] != '"')
        return -1;
    text_add(out, "", 0);
    const char *at = span.text + 1, *end = span.text + span.length - 1;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        const char *stop = escape ? escape : end;
        text_add(out, at, (size_t)(stop - at));
        at = escape ? decode_escape(escape, end, out) : end;
    }
    return 0;
}

int json_string_is(struct json_span span, const char *name)
{
    size_t length = strlen(name);
    if (span.length < 2 || span.text[0] != '"')
        return 0;
    if (!memchr(span.text, '\\', span.length))
        return span.length == length + 2 && memcmp(span.text + 1, name, length) == 0;
    struct text_buffer decoded = {0};
    int same = json_decode_string(span, &decoded) == 0 && decoded.count == length && memcmp(decoded.bytes, name, length) == 0;
    text_free(&decoded);
    return same;
}
