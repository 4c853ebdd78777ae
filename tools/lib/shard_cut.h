/* Where shards begin: boundaries that depend on the neighbourhood only, so an edit moves none but those around it.
 *
 * A pair begins a shard if its hash is the smallest among the `reach` pairs before and after it (the earliest of equals). This
 * local-minimum rule keeps boundaries more than `reach` apart by itself. The usual rule, "a hash under a mask, but not before a minimum length", was left: there
 * one insertion can shift the skipped stretches of all shards behind it. Here a pair added at the top makes at most two new
 * shards (it can take away, or let through, only the boundary nearest to it), one in the middle at most a few.
 * A gap longer than the maximum is cut at its smallest hash, again and again, which depends on the gap's own pairs only.
 *
 * Sizes: `reach` follows from the number of pairs (in powers of two, aiming at 16 shards or more), at least `batch`
 * pairs where there are enough, at most batch * interval; never from the number of workers. */
#ifndef REPRISE_SHARD_CUT_H
#define REPRISE_SHARD_CUT_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* path_hashes [pairs]: of the MIDI paths as INPUT gives them. Fills *starts (to be freed) with the index of each shard's first pair, ascending, starts[0] = 0.
 * Returns the number of shards (0 for no pairs), or -1 with `why`. batch, interval >= 1. */
long shard_cut(const uint64_t *path_hashes, size_t pairs, size_t batch, size_t interval, size_t **starts, struct reason *why)
    __attribute__((warn_unused_result));

#endif
