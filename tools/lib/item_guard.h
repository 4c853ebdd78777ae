/* Crash isolation: a program that dies on one item costs that item.
 *
 * The work on a shard runs in a child process that says which item it is at. If the child dies of a signal, or an item takes more than its
 * share of processor time (an endless loop; time spent waiting or stopped does not count), the work begins again; if it happens at the same item a
 * second time, that item is condemned: the next child is told the verdict and quarantines it. So a stray signal costs nothing but
 * the repetition, and whoever dies twice at one place is not asked a third time. If the parent is killed, the child goes with it. */
#ifndef REPRISE_ITEM_GUARD_H
#define REPRISE_ITEM_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "progress.h"

struct guard_limits {
    double seconds; /* of processor time for one item; 0: no limit */
    size_t memory;  /* bytes that the child may map beyond what it has when it starts; 0: no limit */
};

/* From the environment: ITEM_TIMEOUT (seconds, 60 if unset or empty) and ITEM_MEMORY (bytes with K, M or G, none if unset). 0, or -1 with `why`. */
int guard_limits_read(struct guard_limits *limits, struct reason *why) __attribute__((warn_unused_result));

/* What is wrong with an item that a limit keeps out, as it is formatted. */
#define OVER_ITEM_TIMEOUT "took more than %g s of processor time (ITEM_TIMEOUT)"
#define OVER_ITEM_MEMORY "needs more memory than ITEM_MEMORY allows"
#define DIED_TWICE "the program died of it twice (%s)"
/* Whether this error of an item in a shard is one of these: under other limits, or on another machine, it may have another outcome. */
int error_is_of_a_limit(const char *error);

struct guard;

/* For the worker: `count` items from `first` are in hand from now on (until the next call; none with count 0). */
void guard_begin(struct guard *guard, size_t first, size_t count);
/* Why this item must not be tried again, or NULL. */
const char *guard_verdict(const struct guard *guard, size_t item);
/* Whether to take one item at a time from now on: set after a death with several in hand. */
int guard_one_by_one(const struct guard *guard);

/* Adds to the run's progress what is done of this shard so far; what an earlier child has added already is not counted again. */
void guard_progress(struct guard *guard, struct progress_items so_far);
/* Whether an earlier child has told the user about this item already; it counts as told from now on. */
int guard_told(struct guard *guard, size_t item);

/* Runs `work` in a child until it ends by itself. Returns its result (0..125, the child's exit status), or -1 with `why`. */
typedef int guarded_work(struct guard *guard, void *context);
int guard_run(const struct guard_limits *limits, guarded_work *work, void *context, struct reason *why) __attribute__((warn_unused_result));

#endif
