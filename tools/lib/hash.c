#include "hash.h"

#include <string.h>
#include <xxhash.h>

struct hash hash_bytes(const void *bytes, size_t count)
{
    XXH128_hash_t value = XXH3_128bits(bytes, count);
    return (struct hash){value.high64, value.low64};
}

struct hash_state *hash_start(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state && XXH3_128bits_reset(state) == XXH_ERROR) {
        XXH3_freeState(state);
        return NULL;
    }
    return (struct hash_state *)state;
}

void hash_add(struct hash_state *state, const void *bytes, size_t count)
{
    XXH3_128bits_update((XXH3_state_t *)state, bytes, count);
}

void hash_add_string(struct hash_state *state, const char *text)
{
    hash_add(state, text, strlen(text) + 1);
}

struct hash hash_end(struct hash_state *state)
{
    XXH128_hash_t value = XXH3_128bits_digest((XXH3_state_t *)state);
    XXH3_freeState((XXH3_state_t *)state);
    return (struct hash){value.high64, value.low64};
}

int hash_equal(struct hash a, struct hash b)
{
    return a.high == b.high && a.low == b.low;
}

int hash_compare(struct hash a, struct hash b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

void hash_to_hex(struct hash value, char hex[HASH_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        hex[i] = digits[(value.high >> (60 - 4 * i)) & 15];
        hex[16 + i] = digits[(value.low >> (60 - 4 * i)) & 15];
    }
    hex[HASH_HEX] = 0;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hash_from_hex(const char *hex, struct hash *value)
{
    uint64_t halves[2] = {0, 0};
    for (int i = 0; i < HASH_HEX; i++) {
        int digit = digit_value(hex[i]);
        if (digit < 0)
            return -1;
        halves[i / 16] = halves[i / 16] << 4 | (uint64_t)digit;
    }
    if (digit_value(hex[HASH_HEX]) >= 0)
        return -1;
    *value = (struct hash){halves[0], halves[1]};
    return 0;
}
