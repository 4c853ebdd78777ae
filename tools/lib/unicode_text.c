#include "unicode_text.h"

#include <utf8proc.h>

#include "code_points.h"

/* Category L since Unicode 15.1 and 16.0. */
static const struct code_points newer_letters[] = {
    {0x1c89, 0x1c8a}, {0xa7cb, 0xa7cd}, {0xa7da, 0xa7dc}, {0x105c0, 0x105f3}, {0x10d4a, 0x10d65}, {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4},
    {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e, 0x1138e}, {0x11390, 0x113b5}, {0x113b7, 0x113b7}, {0x113d1, 0x113d1}, {0x113d3,
    0x113d3}, {0x11bc0, 0x11be0}, {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c}, {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed},
    {0x1e5f0, 0x1e5f0}, {0x2ebf0, 0x2ee5d},
};

/* Category N since Unicode 16.0. */
static const struct code_points newer_numbers[] = {
    {0x10d40, 0x10d49}, {0x116d0, 0x116e3}, {0x11bf0, 0x11bf9}, {0x16130, 0x16139}, {0x16d70, 0x16d79}, {0x1ccf0, 0x1ccf9}, {0x1e5f1,
    0x1e5fa},
};

/* Word characters by no category (circled and squared letters), and those since Unicode 15.1 and 16.0. */
static const struct code_points more_word_characters[] = {
    {0x897, 0x897}, {0x1c89, 0x1c8a}, {0x24b6, 0x24e9}, {0xa7cb, 0xa7cd}, {0xa7da, 0xa7dc}, {0x105c0, 0x105f3}, {0x10d40, 0x10d65},
    {0x10d69, 0x10d6d}, {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4}, {0x10efc, 0x10efc}, {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e,
    0x1138e}, {0x11390, 0x113b5}, {0x113b7, 0x113c0}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5}, {0x113c7, 0x113ca}, {0x113cc, 0x113d3},
    {0x113e1, 0x113e2}, {0x116d0, 0x116e3}, {0x11bc0, 0x11be0}, {0x11bf0, 0x11bf9}, {0x11f5a, 0x11f5a}, {0x13460, 0x143fa}, {0x16100,
    0x16139}, {0x16d40, 0x16d6c}, {0x16d70, 0x16d79}, {0x18cff, 0x18cff}, {0x1ccf0, 0x1ccf9}, {0x1e5d0, 0x1e5fa}, {0x1f130, 0x1f149},
    {0x1f150, 0x1f169}, {0x1f170, 0x1f189}, {0x2ebf0, 0x2ee5d},
};

/* What belongs to the character before it (Grapheme_Extend, SpacingMark) since Unicode 15.1 and 16.0. */
static const struct code_points newer_joining[] = {
    {0x897, 0x897}, {0x1acf, 0x1add}, {0x1ae0, 0x1aeb}, {0x10d69, 0x10d6d}, {0x10efa, 0x10efc}, {0x113b8, 0x113c0}, {0x113c2, 0x113c2},
    {0x113c5, 0x113c5}, {0x113c7, 0x113ca}, {0x113cc, 0x113d0}, {0x113d2, 0x113d2}, {0x113e1, 0x113e2}, {0x11b60, 0x11b67}, {0x11f5a,
    0x11f5a}, {0x1611e, 0x1612f}, {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6e3}, {0x1e6e6, 0x1e6e6}, {0x1e6ee, 0x1e6ef}, {0x1e6f5, 0x1e6f5},
};

/* What belongs to the character behind it (Grapheme_Cluster_Break=Prepend). */
static const struct code_points prepended[] = {
    {0x600, 0x605}, {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x890, 0x891}, {0x8e2, 0x8e2}, {0xd4e, 0xd4e}, {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x111c2, 0x111c3}, {0x113d1, 0x113d1}, {0x1193f, 0x1193f}, {0x11941, 0x11941}, {0x11a84, 0x11a89}, {0x11d46, 0x11d46}, {0x11f02,
    0x11f02},
};

/* Code points that are not assigned, and are ignorable by default: Grapheme_Cluster_Break=Control, where utf8proc has them stand for themselves. */
static const struct code_points reserved_controls[] = {
    {0x2065, 0x2065}, {0xfff0, 0xfff8}, {0xe0000, 0xe0000}, {0xe0002, 0xe001f}, {0xe0080, 0xe00ff}, {0xe01f0, 0xe0fff},
};

int unicode_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

enum unicode_class unicode_class(uint32_t c)
{
    if (unicode_is_space(c))
        return UNICODE_SPACE;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO: return UNICODE_LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO: return UNICODE_NUMBER;
    default: return HOLDS(newer_letters, c) ? UNICODE_LETTER : HOLDS(newer_numbers, c) ? UNICODE_NUMBER : UNICODE_OTHER;
    }
}

int unicode_is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return 1;
    default: return c == 0x200c || c == 0x200d || HOLDS(more_word_characters, c);
    }
}

/* ---- grapheme clusters (Unicode Standard Annex 29) ---- */

static int bound_class(uint32_t c)
{
    if (c < 0x300)
        return c == 0xa9 || c == 0xae ? UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC
               : c == '\r' ? UTF8PROC_BOUNDCLASS_CR : c == '\n' ? UTF8PROC_BOUNDCLASS_LF
               : c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ? UTF8PROC_BOUNDCLASS_CONTROL : UTF8PROC_BOUNDCLASS_OTHER;
    const int found = (int)utf8proc_get_property((utf8proc_int32_t)c)->boundclass;
    if (HOLDS(newer_joining, c))
        return UTF8PROC_BOUNDCLASS_EXTEND;
    if (HOLDS(prepended, c))
        return UTF8PROC_BOUNDCLASS_PREPEND;
    if (HOLDS(reserved_controls, c))
        return UTF8PROC_BOUNDCLASS_CONTROL;
    return found == UTF8PROC_BOUNDCLASS_PREPEND ? UTF8PROC_BOUNDCLASS_OTHER : found;
}

static int breaks_both_sides(int class)
{
    return class == UTF8PROC_BOUNDCLASS_CR || class == UTF8PROC_BOUNDCLASS_LF || class == UTF8PROC_BOUNDCLASS_CONTROL;
}

/* Syllables of conjoining jamo. */
static int hangul_joins(int before, int class)
{
    const int vowel = class == UTF8PROC_BOUNDCLASS_V, tail = class == UTF8PROC_BOUNDCLASS_T;
    if (before == UTF8PROC_BOUNDCLASS_L)
        return class == UTF8PROC_BOUNDCLASS_L || vowel || class == UTF8PROC_BOUNDCLASS_LV || class == UTF8PROC_BOUNDCLASS_LVT;
    if (before == UTF8PROC_BOUNDCLASS_V || before == UTF8PROC_BOUNDCLASS_LV)
        return vowel || tail;
    return (before == UTF8PROC_BOUNDCLASS_T || before == UTF8PROC_BOUNDCLASS_LVT) && tail;
}

/* Two regional indicators, and consonants joined by a sign, are not kept together here: their clusters have more bytes than anyone looks at (charsmap.h). */
size_t unicode_cluster(const char *bytes, size_t count)
{
    size_t at, length;
    int before = bound_class(unicode_decode(bytes, &at)), picture = before == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
    if (before == UTF8PROC_BOUNDCLASS_CR && at < count && bytes[at] == '\n')
        return at + 1;
    if (breaks_both_sides(before))
        return at;
    for (; at < count; at += length) {
        const int class = bound_class(unicode_decode(bytes + at, &length));
        const int extends = class == UTF8PROC_BOUNDCLASS_EXTEND || class == UTF8PROC_BOUNDCLASS_ZWJ;
        const int joins = extends || class == UTF8PROC_BOUNDCLASS_SPACINGMARK || (before == UTF8PROC_BOUNDCLASS_PREPEND && !breaks_both_sides(class)) ||
                          hangul_joins(before, class) || (picture && before == UTF8PROC_BOUNDCLASS_ZWJ && class == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC);
        if (!joins)
            break;
        picture = class == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC || (picture && extends);
        before = class;
    }
    return at;
}
