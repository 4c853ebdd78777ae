/* Progress of the whole run, shared by all its processes through one small mapped file (environment: PROGRESS_FILE; unset: no progress).
 *
 * Every program adds to the counters after each batch (an atomic add), then draws if nobody has drawn for a moment: who wins
 * the compare-and-swap on the time of the last drawing draws, the others go on. On a terminal that is one live line, elsewhere (and where TERM is dumb) a
 * plain line every few seconds. So there is no extra process, and a killed one leaves nothing behind. The counters are also where
 * `stats` takes this run's speed from. LOG_LEVEL above info draws nothing. */
#ifndef REPRISE_PROGRESS_H
#define REPRISE_PROGRESS_H

#include <stdint.h>

#include "message.h"

enum progress_stage { PROGRESS_MIDI, PROGRESS_TEXT, PROGRESS_STAGES };

/* Starts a run's counters (plan). */
struct progress_beginning {
    uint64_t total[PROGRESS_STAGES], finished[PROGRESS_STAGES]; /* items in all, and how many of them finished shards hold already */
    double expected[PROGRESS_STAGES];                           /* items a second by earlier runs, 0: not known; the estimate until this run has a speed */
};
int progress_start(const char *path, const struct progress_beginning *beginning, struct reason *why) __attribute__((warn_unused_result));

/* Joins the run's counters. Does nothing without PROGRESS_FILE or if the file cannot be used: progress never fails a run. */
void progress_join(enum progress_stage stage);
/* So many more are done. The time since the last call (or the join) counts as work of the stage. */
struct progress_items { uint64_t done, quarantined, copied; }; /* done: of which some could not be processed, and some were copied from finished shards */
void progress_add(struct progress_items more);

/* Names a quarantined item in a warning, as message() does. Of a run and stage so many are named, then one line says that the others are only counted, for a
 * thousand broken files must not drive everything else off the terminal. LOG_LEVEL=debug, or no run's counters: all are named. */
enum { QUARANTINES_NAMED = 20 };
void progress_name_quarantined(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* This run's figures, for stats. 0, or -1 if there are none. */
struct progress_figures {
    double started, wall_seconds;                                 /* seconds since 1970; seconds since the start */
    double work_seconds;                                          /* from the start to the last item that was done */
    uint64_t total[PROGRESS_STAGES], finished[PROGRESS_STAGES];   /* as started */
    uint64_t done[PROGRESS_STAGES], quarantined[PROGRESS_STAGES]; /* in this run */
    uint64_t copied[PROGRESS_STAGES];                             /* of `done`: from finished shards, for which there is no work and no speed */
    double busy_seconds[PROGRESS_STAGES];                         /* in this run, summed over the processes */
    double expected[PROGRESS_STAGES];                             /* as started */
};
int progress_read(const char *path, struct progress_figures *figures); /* -1: errno is the system's reason, 0 where what is there is none */

/* Items a second that the whole run makes while it is busy with a stage: one process's speed times the processes at work on average. Copied items count for nothing. 0: none done yet. */
double progress_speed(const struct progress_figures *figures, enum progress_stage stage);

/* How many times longer the run takes than its stages are busy: programs start, pieces are put together, others use the machine. What remains by the speeds takes so many
 * times longer too. 1 or more. */
double progress_stretch(const struct progress_figures *figures);

/* What erases the live line, to be written in front of anything that goes to stderr; "" where there is no live line. */
const char *progress_eraser(void);

#endif
