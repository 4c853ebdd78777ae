#include "midi_key.h"

#include <stdio.h>
#include <string.h>

#include "abc_music.h"
#include "gunzip.h"

int may_be_abc(const uint8_t *bytes, size_t count)
{
    return is_gzip(bytes, count) || is_abc(bytes, count);
}

int midi_key_of(struct hash bytes, int convertible, struct midi_converter *converter, struct hash *key, struct reason *why)
{
    char both[2 * HASH_HEX + 2], hex[HASH_HEX + 1];
    *key = bytes;
    if (!convertible)
        return 0;
    if (!*converter->hash && abc_converter(converter->hash, why) < 0) {
        *converter->hash = 0;
        return -1;
    }
    hash_to_hex(bytes, hex);
    *key = hash_bytes(both, (size_t)snprintf(both, sizeof both, "%s %s", hex, converter->hash));
    return 0;
}

int midi_key(const uint8_t *bytes, size_t count, struct midi_converter *converter, struct hash *key, struct reason *why)
{
    return midi_key_of(hash_bytes(bytes, count), may_be_abc(bytes, count), converter, key, why);
}
