/* Unicode as the `tokenizers` package (release 0.23) knows it outside of BERT's rules (for those: unicode_bert.h): the classes of its regular expressions (Unicode 16.0),
 * white space, and what makes up a character as a reader sees it (extended grapheme clusters). utf8proc (2.8 has Unicode 15.0) gives the properties; what is newer stands in
 * the tables here. Compared with the package over all of U+0000 to U+10FFFF by tests/parity. */
#ifndef REPRISE_UNICODE_TEXT_H
#define REPRISE_UNICODE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the sequence at `bytes`, which must be well-formed UTF-8. */
static inline uint32_t unicode_decode(const char *bytes, size_t *length)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (b[0] < 0x80) {
        *length = 1;
        return b[0];
    }
    if (b[0] < 0xe0) {
        *length = 2;
        return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    }
    if (b[0] < 0xf0) {
        *length = 3;
        return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
    }
    *length = 4;
    return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 | (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
}

int unicode_is_space(uint32_t c); /* White_Space, \s */
enum unicode_class { UNICODE_OTHER, UNICODE_LETTER, UNICODE_NUMBER, UNICODE_SPACE };
enum unicode_class unicode_class(uint32_t c); /* \p{L}, \p{N}, \s, or none of them */
int unicode_is_word(uint32_t c);  /* \w */

/* The bytes of the grapheme cluster at the start of these, which must be well-formed UTF-8. */
size_t unicode_cluster(const char *bytes, size_t count);

#endif
