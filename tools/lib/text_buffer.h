/* A growing byte buffer, for JSON and other text that is built in memory. A failed allocation is remembered: check `failed` once, at the end. */
#ifndef REPRISE_TEXT_BUFFER_H
#define REPRISE_TEXT_BUFFER_H

#include <stddef.h>

struct text_buffer { char *bytes; size_t count, capacity; int failed; }; /* bytes: zero-terminated once anything was added */

void text_add(struct text_buffer *buffer, const char *bytes, size_t count);
void text_add_string(struct text_buffer *buffer, const char *text);
void text_printf(struct text_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text_buffer *buffer); /* keeps the memory */
void text_free(struct text_buffer *buffer);

/* A JSON string with its quotes. Bytes that are not UTF-8 become \udc80..\udcff, as Python's surrogateescape writes them, so
 * that a file name of any bytes survives and the JSON stays valid. */
void text_add_json_string(struct text_buffer *buffer, const char *bytes, size_t count);
/* The shortest decimal that reads back to the same float: JSON number, locale-independent. Not finite: null. */
void text_add_float(struct text_buffer *buffer, float value);
/* The same for a double. */
void text_add_double(struct text_buffer *buffer, double value);
void text_add_integer(struct text_buffer *buffer, long long value);

#endif
