#include "text_buffer.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Room for `count` more bytes and a final zero. */
static int reserve(struct text_buffer *buffer, size_t count)
{
    if (buffer->failed)
        return -1;
    size_t needed = buffer->count + count + 1;
    if (needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    char *bytes = realloc(buffer->bytes, capacity);
    if (!bytes) {
        buffer->failed = 1;
        return -1;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

void text_add(struct text_buffer *buffer, const char *bytes, size_t count)
{
    if (reserve(buffer, count) < 0)
        return;
    if (count)
        memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    buffer->bytes[buffer->count] = 0;
}

void text_add_string(struct text_buffer *buffer, const char *text)
{
    text_add(buffer, text, strlen(text));
}

void text_printf(struct text_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        buffer->failed = 1;
    else if (reserve(buffer, (size_t)length) == 0) {
        vsnprintf(buffer->bytes + buffer->count, (size_t)length + 1, format, again);
        buffer->count += (size_t)length;
    }
    va_end(again);
}

void text_clear(struct text_buffer *buffer)
{
    buffer->count = 0;
    buffer->failed = 0;
    if (buffer->bytes)
        buffer->bytes[0] = 0;
}

void text_free(struct text_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct text_buffer){0};
}

/* \uXXXX */
static size_t escape_unit(char *escape, unsigned unit)
{
    static const char digits[] = "0123456789abcdef";
    const char units[] = {'\\', 'u', digits[unit >> 12], digits[unit >> 8 & 15], digits[unit >> 4 & 15], digits[unit & 15]};
    memcpy(escape, units, sizeof units);
    return sizeof units;
}

static size_t escape_short(char *escape, char c)
{
    escape[0] = '\\';
    escape[1] = c;
    return 2;
}

void text_add_json_string(struct text_buffer *buffer, const char *bytes, size_t count)
{
    text_add(buffer, "\"", 1);
    size_t start = 0; /* of the run that needs no escape */
    for (size_t i = 0; i < count;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t length = 1, escaped = 0;
        char escape[8];
        if (c == '"' || c == '\\') {
            escaped = escape_short(escape, (char)c);
        } else if (c == '\n') {
            escaped = escape_short(escape, 'n');
        } else if (c < 0x20 || c == 0x7f) {
            escaped = escape_unit(escape, c);
        } else if (c >= 0x80) {
            length = utf8_sequence_length(bytes + i, count - i);
            if (length == 0) {
                length = 1;
                escaped = escape_unit(escape, 0xdc00u | c);
            }
        }
        if (escaped) {
            text_add(buffer, bytes + start, i - start);
            text_add(buffer, escape, escaped);
            start = i + length;
        }
        i += length;
    }
    text_add(buffer, bytes + start, count - start);
    text_add(buffer, "\"", 1);
}

/* Powers of ten that a double holds exactly. */
static const double exact_power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Writes digits / 10^scale as a plain decimal; `digits` has no more than 9 figures, 0 < scale <= 22. Returns the length. */
static int plain_decimal(char *out, int negative, uint32_t digits, int scale)
{
    char reversed[32];
    int count = 0;
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    for (int place = 0; digits > 0 || place <= scale; place++) {
        if (place == scale && scale > 0)
            reversed[count++] = '.';
        reversed[count++] = (char)('0' + digits % 10);
        digits /= 10;
    }
    int length = 0;
    if (negative)
        out[length++] = '-';
    while (count > 0)
        out[length++] = reversed[--count];
    return length;
}

/* The usual magnitudes of embeddings and weights, without printf: digits = round(|value| * 10^scale) with 6 to 9 figures; the
 * quotient of two exact doubles is what any reader computes for that decimal, so comparing it decides whether it reads back.
 * Returns the length, or 0 for magnitudes outside [1e-9, 1e6). */
static int shortest_usual(char *out, float value)
{
    double magnitude = fabs((double)value);
    if (magnitude < 1e-9 || magnitude >= 1e6)
        return 0;
    int leading = 0; /* 10^(leading-1) <= magnitude < 10^leading */
    if (magnitude >= 1)
        while (magnitude >= exact_power[leading])
            leading++;
    else
        while (magnitude * exact_power[1 - leading] < 1)
            leading--;
    for (int figures = 6; figures <= 9; figures++) {
        int scale = figures - leading;
        if (scale < 1)
            continue;
        double digits = nearbyint(magnitude * exact_power[scale]);
        if ((float)(digits / exact_power[scale]) == (float)magnitude)
            return plain_decimal(out, value < 0, (uint32_t)digits, scale);
    }
    return 0;
}

void text_add_float(struct text_buffer *buffer, float value)
{
    char number[64];
    if (!isfinite(value)) {
        text_add(buffer, "null", 4);
        return;
    }
    int length = shortest_usual(number, value);
    for (int figures = 6; !length; figures++) {
        int printed = snprintf(number, sizeof number, "%.*g", figures, (double)value);
        if (figures == 9 || strtof(number, NULL) == value)
            length = printed;
    }
    text_add(buffer, number, (size_t)length);
}

void text_add_double(struct text_buffer *buffer, double value)
{
    if (!isfinite(value)) {
        text_add(buffer, "null", 4);
        return;
    }
    char number[64];
    int length = 0;
    for (int figures = 15; figures <= 17; figures++) {
        length = snprintf(number, sizeof number, "%.*g", figures, value);
        if (strtod(number, NULL) == value)
            break;
    }
    text_add(buffer, number, (size_t)length);
}

void text_add_integer(struct text_buffer *buffer, long long value)
{
    char digits[24];
    size_t at = sizeof digits;
    unsigned long long rest = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--at] = '-';
    text_add(buffer, digits + at, sizeof digits - at);
}
