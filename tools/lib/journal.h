/* The runs of a WORK_DIR: WORK_DIR/journal, to which every build appends a line when it begins and one when it has ended. Estimates of time come from it, and the
 * statistics of a dataset that took several runs. Nothing else does: without it, or with a damaged one, the same dataset is built.
 *
 * A line is a JSON object; its last member, "check", is the low half of the XXH3 of the bytes before it, so a torn or altered line is seen and passed over:
 *   {"run":1764003355123456,"begin":"2026-11-24 17:03:12","outputs":"<hash>","tok":"<signature>","emb":…,"midi":{"total":54,"finished":0},"text":…,
 *    "settings":{"INPUT":"pairs.json",…},"check":"…"}
 *   {"run":1764003355123456,"end":"2026-11-24 17:04:02","state":"complete","seconds":49.8,
 *    "midi":{"done":54,"quarantined":1,"copied":0,"seconds":0.02,"per_second":2700},"text":…,"check":"…"}
 * run: when it began, microseconds since 1970. finished: items in shards that earlier runs had finished; copied: items taken over from such shards. seconds of a stage: summed over its processes. A run that was killed
 * gets its end, "interrupted", from the next one; its figures are those up to its last item. */
#ifndef REPRISE_JOURNAL_H
#define REPRISE_JOURNAL_H

#include <stddef.h>

#include "hash.h"
#include "message.h"
#include "plan_record.h"
#include "progress.h"

enum journal_state { JOURNAL_OPEN, JOURNAL_INTERRUPTED, JOURNAL_COMPLETE };

struct journal_run {
    long long run;
    enum journal_state state;
    char outputs[HASH_HEX + 1], signatures[PROGRESS_STAGES][HASH_HEX + 1];
    double seconds, per_second[PROGRESS_STAGES]; /* per_second: 0 where nothing was done */
    unsigned long long done[PROGRESS_STAGES], quarantined[PROGRESS_STAGES];
};

struct journal {
    struct journal_run *runs; /* [count], oldest first; of a long journal the last ones */
    size_t count, unreadable; /* unreadable: lines passed over */
};

/* Reads the journal; a missing one has no runs. 0, or -1 with `why`. */
int journal_read(const char *work, struct journal *journal, struct reason *why) __attribute__((warn_unused_result));
void journal_free(struct journal *journal);

/* The name of the run whose counters these are. */
long long journal_run_of(const struct progress_figures *figures);
/* The run of this name, NULL if it is not there. */
const struct journal_run *journal_find(const struct journal *journal, long long run);
/* Items a second in the last run of this signature that did any of the stage; 0: none did. */
double journal_speed(const struct journal *journal, enum progress_stage stage, const char *signature);

/* Append a line. A line that cannot be written costs a warning, never the run. */
void journal_begin(const char *work, const struct progress_figures *figures, const char *outputs, const struct plan_record *plan);
void journal_end(const char *work, const struct progress_figures *figures, enum journal_state state);

#endif
