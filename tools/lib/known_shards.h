/* Which items the shards of earlier plans hold, so that an edit costs what it changed: when neighbouring pairs come and go, a shard
 * gets another name, but most of its items are in a finished shard already and are copied from there (reuse.h).
 *
 * WORK_DIR/plan/known remembers every shard that was ever planned here, by name, with its items' keys. It holds no results and promises none:
 * whether a shard exists is asked of the file system, and what it holds is verified when it is read. A damaged file is ignored. */
#ifndef REPRISE_KNOWN_SHARDS_H
#define REPRISE_KNOWN_SHARDS_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"

enum shard_kind { SHARD_OF_MIDI, SHARD_OF_TEXT, SHARD_KINDS };

struct known_shards;

/* NULL with `why` (no memory). */
struct known_shards *known_shards_open(const char *path, struct reason *why) __attribute__((warn_unused_result));
/* Adds a shard unless it is known. keys [count]. */
int known_shards_add(struct known_shards *known, enum shard_kind kind, struct hash name, const struct hash *keys, size_t count, struct reason *why)
    __attribute__((warn_unused_result));
/* Writes the file if anything was added. */
int known_shards_save(struct known_shards *known, struct reason *why) __attribute__((warn_unused_result));

/* Where the items of a missing shard can be found: for each known, finished shard of this kind that holds one of its items, `visit` is called once.
 * finished (context, name): whether the shard's file exists. known_shards_index must have been called for this kind. */
typedef int shard_test(void *context, struct hash name);
typedef int shard_visitor(void *context, struct hash name, struct reason *why);
int known_shards_index(struct known_shards *known, enum shard_kind kind, shard_test *finished, void *context, struct reason *why) __attribute__((warn_unused_result));
int known_shards_holding(struct known_shards *known, enum shard_kind kind, struct hash missing, shard_visitor *visit, void *context, struct reason *why)
    __attribute__((warn_unused_result));

/* Drops the shards of this kind that `kept` says 0 of, and adds their number to `forgotten`. */
int known_shards_forget(struct known_shards *known, enum shard_kind kind, shard_test *kept, void *context, size_t *forgotten, struct reason *why)
    __attribute__((warn_unused_result));

void known_shards_close(struct known_shards *known);

#endif
