/* Notes of one track parted into voices in which, for each pitch, what starts first also ends first: then a reader that pairs starts and ends first in, first out
 * finds each note again. As few voices as possible, nearly always one. */
#ifndef REPRISE_NOTE_VOICES_H
#define REPRISE_NOTE_VOICES_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "song.h"
#include "time_order.h"

struct note_voices {
    struct song_note *notes; /* voice by voice, in order of their starts */
    size_t *ends;            /* [count]: where each voice ends in notes; not set where there is no note */
    size_t count;            /* 0 without notes */
    /* memory */
    struct song_note *sorted;
    uint32_t *voice_of;
    struct open_end *open[128];
    size_t note_capacity, sorted_capacity, voice_capacity, end_capacity, open_count[128], open_capacity[128];
    struct time_order order;
};

/* Start with {0}. Pitches are 0 .. 127. Starting together keeps its order. O(n log voices). 0, or -1 with `why`. */
int note_voices_split(struct note_voices *voices, const struct song_note *notes, size_t count, struct reason *why) __attribute__((warn_unused_result));
void note_voices_free(struct note_voices *voices);

#endif
