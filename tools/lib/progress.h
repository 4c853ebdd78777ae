/* Progress of the whole run, shared by all its processes through one small mapped file (environment: PROGRESS_FILE; unset: no progress).
 *
 * Every program adds to the counters after each batch (an atomic add), then draws if nobody has drawn for a moment: whoever holds the
 * file's lock draws, the others go on. On a terminal that is one live line; elsewhere a plain line every few seconds. So there is no extra process, and
 * a killed one leaves nothing behind. The counters are also where `stats` takes this run's speed from. */
#ifndef REPRISE_PROGRESS_H
#define REPRISE_PROGRESS_H

#include <stdint.h>

#include "message.h"

enum progress_stage { PROGRESS_MIDI, PROGRESS_TEXT, PROGRESS_STAGES };

/* Starts a run's counters (plan): items in all, and how many of them finished shards hold already. */
int progress_start(const char *path, const uint64_t total[PROGRESS_STAGES], const uint64_t finished[PROGRESS_STAGES], struct reason *why);

/* Joins the run's counters. Does nothing without PROGRESS_FILE or if the file cannot be used: progress never fails a run. */
void progress_join(enum progress_stage stage);
/* `items` more are done, of which `quarantined` could not be processed. Counts the time since the last call (or join) as busy time of the stage. */
void progress_add(uint64_t items, uint64_t quarantined);

/* This run's figures, for stats. 0, or -1 if there are none. */
struct progress_figures {
    double wall_seconds;                                          /* since progress_start */
    uint64_t total[PROGRESS_STAGES], finished[PROGRESS_STAGES];   /* as started */
    uint64_t done[PROGRESS_STAGES], quarantined[PROGRESS_STAGES]; /* in this run */
    double busy_seconds[PROGRESS_STAGES];                         /* summed over processes */
};
int progress_read(const char *path, struct progress_figures *figures);

/* Clears the live line, if there is one (before a message, at the end of a run). */
void progress_clear_line(void);

#endif
