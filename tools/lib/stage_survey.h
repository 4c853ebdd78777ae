/* What of a stage is finished and what is missing, by looking at the file system; and for each missing shard the finished ones that hold
 * some of its items (WORK_DIR/plan/<shard>.<kind>-reuse, for --reuse). */
#ifndef REPRISE_STAGE_SURVEY_H
#define REPRISE_STAGE_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "known_shards.h"
#include "message.h"

struct stage {
    enum shard_kind kind;
    const char *work, *signature; /* WORK_DIR; the program's signature */
};

struct stage_shard { struct hash name; uint64_t items; };
struct survey { uint64_t items, finished_items; size_t shards, missing_shards; };

/* shards [count]: the stage's shards; those of the same content are counted once. The array is reordered. Writes the reuse lists. 0, or -1 with `why`. */
int stage_survey(const struct stage *stage, struct stage_shard *shards, size_t count, struct known_shards *known, struct survey *survey, struct reason *why)
    __attribute__((warn_unused_result));

#endif
