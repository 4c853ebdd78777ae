#include "packing.h"

#include <limits.h>

#include "check.h"

int size_class(int count)
{
    int size = CLASS_LEAST;
    while (size < count) {
        if (size / 2 * 3 >= count)
            return size / 2 * 3;
        size *= 2;
    }
    return size;
}

size_t full_batch(size_t tokens)
{
    size_t size = CLASS_LEAST;
    if (tokens < CLASS_LEAST)
        return tokens;
    while (size < CLASS_FULL && 2 * size <= tokens)
        size *= 2;
    return size < CLASS_FULL && size / 2 * 3 <= tokens ? size / 2 * 3 : size;
}

int packing_measure(struct packing *packing, const size_t *offsets, size_t texts, size_t most_tokens, struct reason *why)
{
    size_t tiles = 0;
    for (size_t i = 0; i < texts; i++) {
        if (offsets[i + 1] <= offsets[i] || offsets[i + 1] - offsets[i] > most_tokens)
            return explain(why, "text %zu has no tokens, or more than %zu", i, most_tokens);
        tiles += (offsets[i + 1] - offsets[i] + TILE_QUERIES - 1) / TILE_QUERIES;
    }
    const size_t tokens = texts ? offsets[texts] - offsets[0] : 0;
    if (tokens == 0 || tokens > INT_MAX / 4)
        return explain(why, "a batch of %zu texts and %zu tokens", texts, tokens);
    *packing = (struct packing){.tokens = (int)tokens, .texts = (int)texts, .tiles = (int)tiles};
    packing->rows_class = size_class(packing->tokens);
    packing->tiles_class = size_class(packing->tiles);
    return 0;
}

static size_t bytes_of_classes(size_t rows, size_t tiles)
{
    return BATCH_COUNTS * sizeof(int32_t) + tiles * sizeof(struct tile) + 2 * rows * sizeof(int32_t) + (tiles + 1) * sizeof(int32_t);
}

size_t packing_bytes(const struct packing *packing)
{
    return bytes_of_classes((size_t)packing->rows_class, (size_t)packing->tiles_class);
}

size_t packing_bytes_at_most(int tokens)
{
    const size_t most = (size_t)size_class(tokens); /* texts of one token: each is a tile */
    return bytes_of_classes(most, most);
}

struct batch packing_parts(const struct packing *packing, const void *image)
{
    const int32_t *counts = image;
    const struct tile *tiles = (const void *)(counts + BATCH_COUNTS);
    const int32_t *ids = (const void *)(tiles + packing->tiles_class), *positions = ids + packing->rows_class;
    return (struct batch){.counts = counts, .tiles = tiles, .ids = ids, .positions = positions, .offsets = positions + packing->rows_class};
}

static struct tile *write_tiles(struct tile *tile, int32_t first, int32_t tokens, int32_t text)
{
    for (int32_t query = 0; query < tokens; query += TILE_QUERIES)
        *tile++ = (struct tile){.first = first, .tokens = tokens, .query = query, .text = text};
    return tile;
}

int packing_write(const struct packing *packing, struct packed_texts texts, struct table_sizes sizes, void *image, struct reason *why)
{
    int32_t *counts = image;
    struct tile *tile = (void *)(counts + BATCH_COUNTS);
    int32_t *to = (void *)(tile + packing->tiles_class), *positions = to + packing->rows_class, *begins = positions + packing->rows_class, row = 0;
    counts[BATCH_TOKENS] = packing->tokens;
    counts[BATCH_TEXTS] = packing->texts;
    counts[BATCH_TILES] = packing->tiles;
    counts[BATCH_COUNTS - 1] = 0;
    for (int32_t i = 0; i < packing->texts; i++) {
        const int32_t first = row;
        begins[i] = first;
        for (size_t at = texts.offsets[i]; at < texts.offsets[i + 1]; at++, row++) {
            to[row] = texts.ids[at];
            positions[row] = texts.positions[at];
            if (to[row] < 0 || (size_t)to[row] >= sizes.vocabulary)
                return explain(why, "token id %d is outside the vocabulary of %zu", (int)to[row], sizes.vocabulary);
            if (positions[row] < 0 || (size_t)positions[row] >= sizes.positions)
                return explain(why, "position %d is outside the table of %zu", (int)positions[row], sizes.positions);
        }
        tile = write_tiles(tile, first, row - first, i);
    }
    begins[packing->texts] = row;
    return 0;
}
