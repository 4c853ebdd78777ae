#include "shard_cut.h"

#include <stdlib.h>

#include "hash.h"

/* The mean distance of local minima is 2 * reach + 1. */
static size_t choose_reach(size_t pairs, size_t batch, size_t longest)
{
    size_t wanted = 1;
    while (wanted * 2 <= pairs / 16)
        wanted *= 2;
    size_t reach = wanted / 2;
    if (reach < batch - 1)
        reach = batch - 1;
    if (reach > longest / 4)
        reach = longest / 4;
    return reach;
}

static int is_local_minimum(const uint64_t *hashes, size_t pairs, size_t at, size_t reach)
{
    for (size_t distance = 1; distance <= reach; distance++) {
        if (hashes[at - distance] <= hashes[at])
            return 0;
        if (at + distance < pairs && hashes[at + distance] < hashes[at])
            return 0;
    }
    return 1;
}

struct cuts { size_t *starts, count, capacity; };

static int add_cut(struct cuts *cuts, size_t at)
{
    if (cuts->count == cuts->capacity) {
        size_t capacity = cuts->capacity ? cuts->capacity * 2 : 64;
        size_t *starts = reallocarray(cuts->starts, capacity, sizeof *starts);
        if (!starts)
            return -1;
        cuts->starts = starts;
        cuts->capacity = capacity;
    }
    cuts->starts[cuts->count++] = at;
    return 0;
}

/* Cuts [start, end) while it is too long: at the smallest hash that leaves `shortest` pairs or more on both sides, and so on with both
 * parts. The first cuts of a gap hardly ever move, so an edit inside it stays in its own part. */
static int cut_gap(struct cuts *cuts, const uint64_t *hashes, size_t start, size_t end, size_t shortest, size_t longest)
{
    while (end - start > longest) {
        size_t best = start + shortest;
        for (size_t at = best + 1; at <= end - shortest; at++)
            if (hashes[at] < hashes[best])
                best = at;
        if (cut_gap(cuts, hashes, start, best, shortest, longest) < 0 || add_cut(cuts, best) < 0)
            return -1;
        start = best;
    }
    return 0;
}

/* Many captions of one piece are neighbours with the same path: each gets a hash of its own, by its place in the run. */
static uint64_t *tell_apart(const uint64_t *hashes, size_t pairs)
{
    uint64_t *own = reallocarray(NULL, pairs, sizeof *own), run = 0;
    for (size_t i = 0; own && i < pairs; i++) {
        run = i > 0 && hashes[i] == hashes[i - 1] ? run + 1 : 0;
        own[i] = run ? hash_bytes((uint64_t[]){hashes[i], run}, 16).low : hashes[i];
    }
    return own;
}

long shard_cut(const uint64_t *path_hashes, size_t pairs, size_t batch, size_t interval, size_t **starts, struct reason *why)
{
    size_t longest = batch * interval, shortest = batch <= longest / 2 ? batch : (longest + 1) / 2;
    size_t reach = choose_reach(pairs, batch, longest), start = 0;
    struct cuts cuts = {0};
    *starts = NULL;
    if (pairs == 0)
        return 0;
    uint64_t *hashes = tell_apart(path_hashes, pairs);
    int result = hashes ? add_cut(&cuts, 0) : -1;
    for (size_t at = reach + 1; result == 0 && at <= pairs; at++) {
        if (at < pairs && !is_local_minimum(hashes, pairs, at, reach))
            continue;
        result = cut_gap(&cuts, hashes, start, at, shortest, longest);
        if (result == 0 && at < pairs)
            result = add_cut(&cuts, at);
        start = at;
    }
    free(hashes);
    if (result < 0) {
        free(cuts.starts);
        return fail(why, "out of memory");
    }
    *starts = cuts.starts;
    return (long)cuts.count;
}
