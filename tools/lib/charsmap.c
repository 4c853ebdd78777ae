#include "charsmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unicode_text.h"
#include "utf8.h"

#define CLUSTER_BYTES 6 /* a cluster of so many bytes is not looked up as a whole */

struct charsmap {
    uint8_t *bytes;
    const uint8_t *units; /* [unit_count] of 32 bits, little-endian */
    size_t unit_count;
    const char *replacements; /* each with a zero byte behind it */
    size_t replacement_bytes;
};

/* ---- opening ---- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int decode_base64(const char *text, uint8_t **bytes, size_t *count, struct reason *why)
{
    size_t length = strlen(text);
    while (length && text[length - 1] == '=')
        length--;
    if (!(*bytes = malloc(length / 4 * 3 + 3)))
        return fail(why, "out of memory");
    *count = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        const int digit = digit_of(text[i]);
        if (digit < 0)
            return fail(why, "precompiled_charsmap is not base64 at byte %zu", i);
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            (*bytes)[(*count)++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return 0;
}

static uint32_t read_32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int open_map(struct charsmap *map, const char *base64, struct reason *why)
{
    size_t count = 0;
    if (decode_base64(base64, &map->bytes, &count, why) < 0)
        return -1;
    const size_t units = count >= 4 ? read_32(map->bytes) : 0;
    if (count < 4 || units % 4 || units > count - 4 || units == 0)
        return fail(why, "precompiled_charsmap: %zu bytes do not hold the map that it begins with", count);
    map->units = map->bytes + 4;
    map->unit_count = units / 4;
    map->replacements = (const char *)map->bytes + 4 + units;
    map->replacement_bytes = count - 4 - units;
    const size_t fault = utf8_first_fault(map->replacements, map->replacement_bytes);
    return fault < map->replacement_bytes ? fail(why, "precompiled_charsmap: a replacement is not UTF-8") : 0;
}

struct charsmap *charsmap_open(const char *base64, struct reason *why)
{
    struct charsmap *map = calloc(1, sizeof *map);
    if (!map)
        fail(why, "out of memory");
    else if (open_map(map, base64, why) == 0)
        return map;
    charsmap_close(map);
    return NULL;
}

void charsmap_close(struct charsmap *map)
{
    if (map)
        free(map->bytes);
    free(map);
}

/* ---- looking up: bit 8 of a unit says that the key ends here, its low byte and sign are the label, the rest is the way to its children ---- */

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* The replacement of the shortest key that these bytes begin with; NULL if there is none. */
static const char *find(const struct charsmap *map, const char *bytes, size_t count, size_t *length)
{
    size_t at = offset_of(read_32(map->units));
    for (size_t i = 0; i < count && bytes[i]; i++) {
        const uint8_t byte = (uint8_t)bytes[i];
        at ^= byte;
        if (at >= map->unit_count)
            return NULL;
        const uint32_t unit = read_32(map->units + 4 * at);
        if ((unit & (1u << 31 | 0xff)) != byte)
            return NULL;
        at ^= offset_of(unit);
        if (!(unit & 1u << 8))
            continue;
        if (at >= map->unit_count)
            return NULL;
        const size_t place = read_32(map->units + 4 * at) & 0x7fffffff;
        if (place >= map->replacement_bytes)
            return NULL;
        *length = strnlen(map->replacements + place, map->replacement_bytes - place);
        /* A place within a sequence is none of a well-made map. */
        return ((uint8_t)map->replacements[place] & 0xc0) == 0x80 ? NULL : map->replacements + place;
    }
    return NULL;
}

void charsmap_normalize(const struct charsmap *map, const char *bytes, size_t count, struct text_buffer *into)
{
    for (size_t at = 0, cluster; at < count; at += cluster) {
        size_t length, found_length;
        const char *found;
        cluster = unicode_cluster(bytes + at, count - at);
        if (cluster < CLUSTER_BYTES && (found = find(map, bytes + at, cluster, &found_length))) {
            text_add(into, found, found_length);
            continue;
        }
        for (size_t i = 0; i < cluster; i += length) {
            unicode_decode(bytes + at + i, &length);
            if ((found = find(map, bytes + at + i, length, &found_length)))
                text_add(into, found, found_length);
            else
                text_add(into, bytes + at + i, length);
        }
    }
}
