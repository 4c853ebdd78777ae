/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef REPRISE_UTF8_H
#define REPRISE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length (1..4) of the well-formed sequence at `bytes`, 0 if there is none within `count` bytes. */
size_t utf8_sequence_length(const char *bytes, size_t count);
/* Offset of the first byte that is not part of well-formed UTF-8; `count` if all is well. */
size_t utf8_first_fault(const char *bytes, size_t count);
/* 3 where `bytes` begins with the byte order mark that some editors put before a text and that is no part of it, else 0. */
size_t utf8_mark(const char *bytes, size_t count);
/* Appends a code point; returns the bytes written (1..4). Surrogates are written as three bytes and are not well-formed. */
size_t utf8_encode(uint32_t code_point, char out[4]);

#endif
