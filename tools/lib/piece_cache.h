/* The ids of pieces of text met before, so that a word that comes again is one look-up. Pieces of more than PIECE_CACHE_BYTES bytes or PIECE_CACHE_IDS ids are not kept.
 * A piece is found by all its bytes, so the cache cannot change a result. */
#ifndef REPRISE_PIECE_CACHE_H
#define REPRISE_PIECE_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PIECE_CACHE_BYTES = 24, PIECE_CACHE_IDS = 9, PIECE_CACHE_PLACES = 8192 };

struct piece_key { uint64_t words[3]; };

/* A cache line. */
struct cached_piece { struct piece_key key; uint16_t bytes, count; /* bytes 0: nothing is kept here */ int32_t ids[PIECE_CACHE_IDS]; };

struct piece_cache { struct cached_piece places[PIECE_CACHE_PLACES]; }; /* begin with zeros */

/* The piece's bytes with zeros behind them; PIECE_CACHE_BYTES bytes from `piece` on may be read, 1 to PIECE_CACHE_BYTES are the piece's. */
static inline struct piece_key piece_key(const char *piece, size_t bytes)
{
    struct piece_key key;
    memcpy(&key, piece, sizeof key);
    for (size_t i = 0; i < 3; i++) {
        const size_t kept = bytes > 8 * i ? bytes - 8 * i : 0;
        key.words[i] = kept >= 8 ? key.words[i] : kept ? key.words[i] << (64 - 8 * kept) >> (64 - 8 * kept) : 0; /* little-endian, as every machine this builds for */
    }
    return key;
}

/* The one place where a piece is kept. */
static inline struct cached_piece *piece_cache_place(struct piece_cache *cache, struct piece_key key)
{
    uint64_t hash = (key.words[0] ^ (key.words[1] << 21 | key.words[1] >> 43) ^ (key.words[2] << 42 | key.words[2] >> 22)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
    return &cache->places[(hash * 0xbf58476d1ce4e5b9u) >> 51];
}

static inline int piece_is_cached(const struct cached_piece *place, struct piece_key key, size_t bytes)
{
    return place->bytes == bytes && place->key.words[0] == key.words[0] && place->key.words[1] == key.words[1] && place->key.words[2] == key.words[2];
}

#endif
