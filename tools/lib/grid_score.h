/* A score on MidiTok's time grid: what MidiTok 3.1.0 makes of a file before it writes tokens, in its default configuration.
 *
 * In this order: time signatures other than {3,12,6}/8 and {5,6,3,2,1,4}/4 are dropped, 4/4 stands at the beginning where none does; the grid is 8 steps per
 * beat of the smallest kept note value; times are rounded to it; time signatures are moved to the next bar, the last one at a place wins;
 * with programs, tracks of one program become one; pitches outside 21..109 (drums 27..88) are dropped; velocities, durations and, where
 * note values are mixed, starts are rounded to what tokens can say.
 * Tracks of one program are sorted when they are merged, and only then: their notes by time, duration, pitch, velocity. */
#ifndef REPRISE_GRID_SCORE_H
#define REPRISE_GRID_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "midi_file.h"
#include "time_order.h"

#define GRID_STEPS_PER_BEAT 8
#define GRID_LOWEST_PITCH 21
#define GRID_HIGHEST_PITCH 109
#define GRID_LOWEST_DRUM 27
#define GRID_HIGHEST_DRUM 88
#define GRID_VELOCITIES 32
#define GRID_DURATIONS 64 /* beats 0-4 in eighths of a beat without 0, 4-12 in quarters, then 12 */
#define GRID_TIME_SIGNATURES 9
#define GRID_DRUMS (-1) /* as a program */

struct grid_note {
    int32_t time;               /* in ticks of the grid */
    uint8_t pitch;
    uint8_t velocity, duration; /* indices of their bins */
    int8_t program;             /* GRID_DRUMS for drums */
};

struct grid_time_signature {
    int32_t time;
    uint8_t kind; /* index into grid_time_signatures */
    uint8_t numerator, denominator;
    uint8_t beat; /* its beat in ticks: that of its denominator */
};

/* One sequence of tokens: the whole file, or one track. */
struct grid_sequence {
    size_t first_note, note_count;
    uint8_t program, is_drum; /* of a track, as MidiTok saves them */
};

struct grid_score {
    struct grid_time_signature *time_signatures; /* the first one at 0 */
    struct grid_note *notes;                     /* sequence after sequence, by time */
    struct grid_sequence *sequences;
    size_t time_signature_count, note_count, sequence_count;

    /* memory, kept from file to file */
    size_t time_signature_capacity, note_capacity, sequence_capacity, part_capacity, part_of_capacity, raw_capacity, section_capacity;
    struct grid_part *parts;
    uint32_t *part_of;
    struct midi_note *raw;
    struct grid_section *sections;
    struct time_order order;
};

/* The kept time signatures in the order of the vocabulary: numerator, denominator. */
extern const uint8_t grid_time_signatures[GRID_TIME_SIGNATURES][2];

/* Fills `score` (start with {0}) from `file`. `programs`: one sequence of the whole piece, tracks of one program merged; otherwise one for each track that
 * keeps a note; if none does, a single sequence of time signatures alone. 0, or -1 with `why`. */
int grid_score_make(const struct midi_file *file, int programs, struct grid_score *score, struct reason *why) __attribute__((warn_unused_result));
void grid_score_free(struct grid_score *score);

#endif
