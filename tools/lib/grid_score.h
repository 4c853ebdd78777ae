/* A score on MidiTok's time grid: what MidiTok 3.1.0's preprocess_score makes of a file before it writes tokens, for any tokenizer.
 *
 * In this order: time signatures that the vocabulary lacks are dropped, 4/4 stands at the beginning where none does; the grid is beat_res's finest
 * resolution per beat of the smallest kept note value; times are rounded to it; time signatures are moved to the next bar, the last one at a place wins; in one
 * stream for programs, tracks of one program become one; tracks of programs that are not used, and pitches out of range, are dropped; velocities,
 * durations, pedals, bends, tempos and, where note values are mixed, starts are rounded to what tokens can say.
 * Tracks of one program are sorted when they are merged, and only then: their notes by time, duration, pitch, velocity.
 * PerTok keeps the time signatures that it is given, and its own ticks per quarter note; it rounds durations only when it writes them. */
#ifndef REPRISE_GRID_SCORE_H
#define REPRISE_GRID_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "midi_file.h"
#include "time_order.h"
#include "tokenizer.h"

#define GRID_DRUMS (-1)   /* as a program */
#define GRID_LATEST (1 << 30) /* ticks of the grid: no music, and room to round without overflow */

struct grid_note {
    int32_t time, duration; /* in ticks of the grid */
    uint16_t length;        /* the duration's index in the vocabulary, where durations are rounded */
    uint8_t pitch, velocity; /* velocity: index in the vocabulary, where it has velocities */
};

struct grid_pedal { int32_t time, duration; int32_t length; };
struct grid_change { int32_t time, value; }; /* tempos, pitch bends: index in the vocabulary; key signatures: 2 (key + 7) + tonality; controls: number * 128 + value */

struct grid_time_signature {
    int32_t time;
    int32_t kind; /* index in the vocabulary, -1: it is not there (PerTok only) */
    int32_t beat, bar; /* ticks */
    uint8_t numerator, denominator;
};

/* A stretch of one denominator, up to `end`. */
struct grid_section {
    int32_t start, end;
    int32_t step;                   /* starts of notes are rounded to so many ticks from `start`; 1 where all denominators are one */
    int32_t beat;                   /* ticks */
    const struct beat_table *table; /* of durations; NULL: the vocabulary has none here */
};

struct grid_track {
    uint8_t program, is_drum; /* as MidiTok saves them */
    int16_t value;            /* the program as tokens say it: -1 for drums */
    size_t first_note, note_count, first_pedal, pedal_count, first_bend, bend_count, first_control, control_count;
};

struct grid_score {
    int32_t quarter; /* ticks */
    struct grid_time_signature *time_signatures; /* in force; the first one at 0; none without use_time_signatures */
    struct grid_change *tempos, *keys;           /* only where the vocabulary has them */
    struct grid_section *sections;               /* at least one */
    struct grid_track *tracks;                   /* those with something to say */
    struct grid_note *notes;
    struct grid_pedal *pedals;
    struct grid_change *bends, *controls;
    size_t time_signature_count, tempo_count, key_count, section_count, track_count, note_count, pedal_count, bend_count, control_count;

    /* memory, kept from file to file */
    size_t time_signature_capacity, tempo_capacity, key_capacity, section_capacity, track_capacity, note_capacity, pedal_capacity, bend_capacity,
        control_capacity, part_capacity, part_of_capacity;
    struct grid_part *parts;
    uint32_t *part_of;
    struct time_order order;
};

/* Fills `score` (start with {0}) from `file`. 0, or -1 with `why`. */
int grid_score_make(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
    __attribute__((warn_unused_result));
void grid_score_free(struct grid_score *score);

/* The section of a time, at or behind the one at hand. */
const struct grid_section *grid_section_at(const struct grid_section *section, const struct grid_section *end, int32_t time);

#endif
