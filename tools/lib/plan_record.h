/* What a plan decided, kept as WORK_DIR/plan/<hash of the outputs>.plan: the settings in words, the signatures, and the shards' names in
 * input order. The lists that these names lead to never change, so with them it tells what an earlier build saw, pair by pair; which build made
 * the outputs that are there, OUTPUT_DIR's record says (output_record.h).
 *
 * Format: a line of JSON, {"format":"reprise plan 1","tok":"<signature>","emb":…,"piece":…,"shards":n,"settings":[["scope","NAME","value"],…]},
 * then a line "<piece> <midi> <text> <pairs>" for each shard. */
#ifndef REPRISE_PLAN_RECORD_H
#define REPRISE_PLAN_RECORD_H

#include <stddef.h>

#include "hash.h"
#include "message.h"
#include "shard_lists.h"

/* scope: "tok" or "emb" for what that stage's signature depends on, "contents" for the hash of a program's or a model's bytes, else "plan". */
struct plan_setting { const char *scope, *name, *value; };

struct plan_record {
    const char *tok, *emb, *piece; /* signatures */
    struct plan_setting *settings;
    size_t setting_count;
    struct shard_names *shards;
    size_t shard_count;
    char *storage; /* what the texts above point into, once read */
};

/* Writes the record if it differs. 0, or -1 with `why`. */
int plan_record_write(const char *path, const struct plan_record *record, struct reason *why) __attribute__((warn_unused_result));
/* 0, or -1 with `why`, which names the path: then there is nothing to free. */
int plan_record_read(const char *path, struct plan_record *record, struct reason *why) __attribute__((warn_unused_result));
void plan_record_free(struct plan_record *record); /* one that was read */

/* The value of a setting, NULL if it has none of this name. */
const char *plan_record_setting(const struct plan_record *record, const char *scope, const char *name);

#endif
