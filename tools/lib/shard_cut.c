#include "shard_cut.h"

#include <stdlib.h>

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

/* Cuts [start, end) where it is too long: at the smallest hash that leaves at least a quarter of `longest` before the cut. */
static int cut_gap(struct cuts *cuts, const uint64_t *hashes, size_t start, size_t end, size_t longest)
{
    while (end - start > longest) {
        size_t shortest = longest / 4 ? longest / 4 : 1, best = start + shortest;
        for (size_t at = best + 1; at <= start + longest && at < end; at++)
            if (hashes[at] < hashes[best])
                best = at;
        if (add_cut(cuts, best) < 0)
            return -1;
        start = best;
    }
    return 0;
}

long shard_cut(const uint64_t *hashes, size_t pairs, size_t batch, size_t interval, size_t **starts, struct reason *why)
{
    size_t longest = batch * interval, reach = choose_reach(pairs, batch, longest), start = 0;
    struct cuts cuts = {0};
    *starts = NULL;
    if (pairs == 0)
        return 0;
    int result = add_cut(&cuts, 0);
    for (size_t at = reach > 0 ? reach : 1; result == 0 && at <= pairs; at++) {
        if (at < pairs && !is_local_minimum(hashes, pairs, at, reach))
            continue;
        result = cut_gap(&cuts, hashes, start, at, longest);
        if (result == 0 && at < pairs)
            result = add_cut(&cuts, at);
        start = at;
    }
    if (result < 0) {
        free(cuts.starts);
        return fail(why, "out of memory");
    }
    *starts = cuts.starts;
    return (long)cuts.count;
}
