/* The steps of grid_score_make, each in a file of its own. */
#ifndef REPRISE_GRID_PARTS_H
#define REPRISE_GRID_PARTS_H

#include "grid_score.h"

/* A run of notes that is processed as one: a track, or all tracks of a program. */
struct grid_part { size_t first, count, first_pedal, pedal_count, first_bend, bend_count, first_control, control_count; uint32_t tracks; uint8_t program, is_drum; };

/* grid_meter.c: time signatures, ticks per quarter note and sections. 0, or -1 with `why`. */
int grid_make_meter(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why);
/* To the nearest step of its section; halfway, to the even one. */
int32_t grid_on_step(const struct grid_section *section, int32_t time);
/* Rounds the times of a list that begins with them ([count] of `size` bytes, ascending), where note values are mixed. */
void grid_round_times(const struct grid_score *score, void *items, size_t count, size_t size);
/* Rounds start and end, each by its own section; what is left of no length gets one step. */
void grid_round_ends(const struct grid_score *score, const struct grid_section *section, int32_t *time, int32_t *duration);

/* grid_notes.c: notes, track by track. */
int grid_make_notes(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why);
/* grid_effects.c: pedals, pitch bends and controls of the parts; then tempos and key signatures. */
int grid_gather_effects(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, size_t part_count, struct reason *why);
int grid_round_pedals(const struct tokenizer *tokenizer, struct grid_score *score, struct grid_part *part, struct reason *why);
void grid_round_bends(const struct tokenizer *tokenizer, struct grid_score *score, struct grid_part *part);
int grid_make_globals(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why);

/* A time of the file in ticks of the grid, half away from zero, as C's round() does, for what is neither negative nor 2^62. Without a branch: it would go either way. */
static inline int64_t grid_rounded(double value)
{
    int64_t whole = (int64_t)value;
    return whole + (value - (double)whole >= 0.5);
}

#endif
