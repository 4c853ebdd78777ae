/* Tables from ticks to the vocabulary's times: durations, time shifts and rests, for each number of ticks that a beat may have.
 *
 * How many ticks a beat has depends on the time signature's denominator; the times are the same fractions of a beat in all. Where MidiTok's own tables have no
 * such number of ticks, it fails on the file, and so does the look-up here. */
#ifndef REPRISE_BEAT_TABLE_H
#define REPRISE_BEAT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "vocabulary.h"

struct beat_table {
    int32_t ticks_per_beat;
    int32_t shortest, longest; /* ticks */
    uint16_t *nearest;         /* [longest + 1]: the time nearest to so many ticks; halfway, the longer one */
    uint16_t *below;           /* [longest + 1]: the longest time of at most so many ticks; below `shortest` it means nothing */
    int32_t *ticks;            /* [times]: of each time */
};

#define BEAT_TABLES 8 /* as many as denominators */

struct beat_tables { struct beat_table tables[BEAT_TABLES]; size_t count; };

/* Makes the tables of `times` for every number of ticks that MidiTok's tokenizer has tables for. 0, or -1 with `why`. */
int beat_tables_make(struct beat_tables *tables, const struct vocabulary *vocabulary, const struct beat_time *times, size_t count, struct reason *why)
    __attribute__((warn_unused_result));
void beat_tables_free(struct beat_tables *tables);

/* The table for so many ticks per beat, or NULL. */
const struct beat_table *beat_table_of(const struct beat_tables *tables, int32_t ticks_per_beat);

/* The time nearest to so many ticks (not negative). */
static inline uint16_t beat_nearest(const struct beat_table *table, int32_t ticks)
{
    return table->nearest[ticks < table->longest ? ticks : table->longest];
}

#endif
