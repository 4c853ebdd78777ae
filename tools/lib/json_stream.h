/* Reading JSON too large for memory, or too valuable to lose its exact text: a strict scanner (RFC 8259) over a file or a memory block
 * that validates and hands out one value at a time as compact text, with the position of the first fault.
 *
 * cJSON reads the small documents (model configurations, shard headers). Here it would need the whole file in memory, turn long
 * integers into doubles, cut strings at \u0000 and accept what other readers refuse; carried fields must survive unchanged. */
#ifndef REPRISE_JSON_STREAM_H
#define REPRISE_JSON_STREAM_H

#include <stddef.h>
#include <stdio.h>

#include "message.h"
#include "text_buffer.h"

/* -- scanning -- */
struct json_stream {
    FILE *file; /* NULL: memory only */
    const char *at, *end;
    char *chunk;
    size_t line, column; /* of the next byte, from 1 */
    int error;           /* the errno of a read that failed, 0 while all is well */
};

int json_stream_open(struct json_stream *stream, const char *path, struct reason *why) __attribute__((warn_unused_result)); /* skips a byte order mark */
void json_stream_memory(struct json_stream *stream, const char *bytes, size_t count);
void json_stream_close(struct json_stream *stream);

/* The next byte that is not white space, not consumed; -1 at the end. */
int json_peek(struct json_stream *stream);
/* Consumes the punctuation `wanted`, after white space; -1 with `why` if something else stands there. */
int json_expect(struct json_stream *stream, char wanted, struct reason *why) __attribute__((warn_unused_result));
/* Validates the next value and appends its text, without insignificant white space, to `text` (NULL: only validates). */
int json_scan_value(struct json_stream *stream, struct text_buffer *text, struct reason *why) __attribute__((warn_unused_result));
/* A read error, -1 with `why`; 0 if the file was read well so far. */
int json_read_error(const struct json_stream *stream, struct reason *why);

/* -- walking over text that json_scan_value has produced -- */
struct json_span { const char *text; size_t length; };

/* Members of an object, elements of an array: *cursor starts at the opening bracket. 1 and the spans, 0 at the end. */
int json_next_member(const char **cursor, struct json_span *key, struct json_span *value);
int json_next_element(const char **cursor, struct json_span *value);

/* Appends the decoded bytes of a JSON string. \u0000 gives a zero byte; a lone surrogate \udc80..\udcff gives the raw byte 80..ff (Python's
 * surrogateescape), any other lone surrogate its three bytes, which are not UTF-8. -1 if the span is not a string. */
int json_decode_string(struct json_span span, struct text_buffer *out) __attribute__((warn_unused_result));
/* Whether the span is a string that reads `name`. */
int json_string_is(struct json_span span, const char *name);

#endif
