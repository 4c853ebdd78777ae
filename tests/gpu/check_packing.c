/* The packing plan (kernels/cuda/packing.h) over ragged batches: every token once and in its place, tiles that cover each text once, classes that hold what they must,
 * and refusals. Runs without a device. */
#include <stdio.h>
#include <stdlib.h>

#include "../../kernels/cuda/packing.h"
#include "ragged.h"

static int failures;

static void expect(int is_so, const char *what)
{
    failures += !is_so;
    if (!is_so)
        printf("not so: %s\n", what);
}

static void check_batch(const struct ragged *ragged, const int *lengths, int texts)
{
    const struct batch batch = ragged->host;
    int row = 0, tile = 0;
    expect(batch.counts[BATCH_TEXTS] == texts, "the number of texts");
    for (int i = 0; i < texts; i++) {
        expect(batch.offsets[i] == row && batch.offsets[i + 1] == row + lengths[i], "a text begins where the one before ends");
        for (int t = 0; t < lengths[i]; t++)
            expect(batch.ids[row + t] >= 0 && batch.ids[row + t] < RAGGED_VOCABULARY && batch.positions[row + t] == t + 2, "a token's id and position");
        for (int query = 0; query < lengths[i]; query += TILE_QUERIES, tile++) {
            const struct tile *at = &batch.tiles[tile];
            expect(at->first == row && at->tokens == lengths[i] && at->query == query && at->text == i, "a tile");
        }
        row += lengths[i];
    }
    expect(batch.counts[BATCH_TOKENS] == row && batch.counts[BATCH_TILES] == tile, "the numbers of tokens and tiles");
    expect(ragged->packing.rows_class >= row && ragged->packing.tiles_class >= tile && ragged->packing.tiles_class >= texts, "a class holds what it is for");
    expect((const char *)(batch.offsets + ragged->packing.tiles_class + 1) == (const char *)ragged->host_image + packing_bytes(&ragged->packing), "the image's size");
    expect(packing_bytes(&ragged->packing) <= packing_bytes_at_most(row), "the most that an image takes");
}

static void check_classes(void)
{
    int different = 0, last = 0;
    for (int count = 1; count < 100000; count++) {
        const int size = size_class(count);
        expect(size >= count && size >= last && size % 32 == 0 && (size <= CLASS_LEAST || 2 * size <= 3 * count), "a class is at most half larger than what it holds");
        different += size != last;
        last = size;
    }
    expect(different < 24, "there are few classes");
    for (size_t tokens = 1; tokens < 300000; tokens += tokens < 1000 ? 1 : 97) {
        const size_t full = full_batch(tokens);
        expect(full <= tokens && full <= CLASS_FULL && (tokens < CLASS_LEAST ? full == tokens : (size_t)size_class((int)full) == full), "a full batch fills its class");
        expect(full == CLASS_FULL || tokens < CLASS_LEAST || (size_t)size_class((int)full + 1) > tokens, "and none that is larger would");
    }
}

static void check_refusals(void)
{
    struct packing packing;
    struct reason why;
    int32_t ids[] = {0, 96, 97}, positions[] = {2, 3, 4}, image[4096];
    const size_t empty[] = {0, 2, 2}, long_text[] = {0, 3}, fine[] = {0, 2}, with_wrong_id[] = {1, 3};
    const struct table_sizes sizes = {97, 5};
    expect(packing_measure(&packing, empty, 2, 10, &why) < 0, "a text without tokens is refused");
    expect(packing_measure(&packing, long_text, 1, 2, &why) < 0, "a text that is too long is refused");
    expect(packing_measure(&packing, fine, 0, 2, &why) < 0, "a batch without texts is refused");
    expect(packing_measure(&packing, fine, 1, 2, &why) == 0 && packing_bytes(&packing) <= sizeof image, "a small batch is taken");
    expect(packing_write(&packing, (struct packed_texts){ids, positions, fine}, sizes, image, &why) == 0, "ids within the vocabulary are taken");
    expect(packing_write(&packing, (struct packed_texts){ids, positions, with_wrong_id}, sizes, image, &why) < 0, "an id outside is refused");
    positions[1] = 5;
    expect(packing_write(&packing, (struct packed_texts){ids, positions, fine}, sizes, image, &why) < 0, "a position outside is refused");
}

int main(void)
{
    static int lengths[RAGGED_TEXTS];
    for (int i = 0; i < 40; i++) {
        const int texts = ragged_lengths(i, 3000, lengths);
        struct ragged ragged = ragged_make(lengths, texts);
        check_batch(&ragged, lengths, texts);
        ragged_free(&ragged);
    }
    check_classes();
    check_refusals();
    return failures ? 1 : 0;
}
