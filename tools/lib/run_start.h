/* How a build begins, once it is planned: finished shards are looked for and, where there is a cache, taken from it; the reuse lists of the others are
 * written; the counters of progress start, and the journal gets the run, and the end of an earlier one that was killed. */
#ifndef REPRISE_RUN_START_H
#define REPRISE_RUN_START_H

#include "known_shards.h"
#include "message.h"
#include "plan_record.h"

/* `outputs`: the hash of the outputs, hexadecimal. `anew`: nothing that is finished counts. 0, or -1 with `why`. */
int run_start(const char *work, const char *input, const char *outputs, const struct plan_record *plan, struct known_shards *known, int anew,
              struct reason *why) __attribute__((warn_unused_result));

/* What there is to a build whose outputs are complete: where a cache is used, it gets the finished shards that it lacks. 0, or -1 with `why`. */
int run_keep(const char *work, const struct plan_record *plan, struct reason *why) __attribute__((warn_unused_result));

#endif
