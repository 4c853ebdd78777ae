#include "utf8.h"

#include <string.h>

static int continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_sequence_length(const char *text, size_t count)
{
    const unsigned char *b = (const unsigned char *)text;
    if (count >= 1 && b[0] < 0x80)
        return 1;
    if (count >= 2 && b[0] >= 0xc2 && b[0] <= 0xdf && continues(b[1]))
        return 2;
    if (count >= 3 && b[0] >= 0xe0 && b[0] <= 0xef && continues(b[1]) && continues(b[2]) && !(b[0] == 0xe0 && b[1] < 0xa0) &&
        !(b[0] == 0xed && b[1] > 0x9f))
        return 3;
    if (count >= 4 && b[0] >= 0xf0 && b[0] <= 0xf4 && continues(b[1]) && continues(b[2]) && continues(b[3]) &&
        !(b[0] == 0xf0 && b[1] < 0x90) && !(b[0] == 0xf4 && b[1] > 0x8f))
        return 4;
    return 0;
}

size_t utf8_first_fault(const char *bytes, size_t count)
{
    size_t i = 0;
    while (i < count) {
        size_t length = utf8_sequence_length(bytes + i, count - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

size_t utf8_mark(const char *bytes, size_t count)
{
    return count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
