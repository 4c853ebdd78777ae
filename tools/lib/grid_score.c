#include "grid_score.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

const uint8_t grid_time_signatures[GRID_TIME_SIGNATURES][2] = {{3, 8}, {12, 8}, {6, 8}, {5, 4}, {6, 4}, {3, 4}, {2, 4}, {1, 4}, {4, 4}};

#define LONGEST_BEATS 12
#define LATEST (1 << 30) /* ticks of the grid: no music, and room to round without overflow */
#define LONGEST_BEAT (2 * GRID_STEPS_PER_BEAT) /* ticks of a quarter where eighths set the grid */

/* A run of notes that is processed as one: a track, or all tracks of a program. */
struct grid_part { size_t first, count; uint32_t tracks; uint8_t program, is_drum; };

/* A stretch of one denominator. */
struct grid_section { int32_t start, end, step; uint8_t beat; };

/* ---- tables of the nearest bins ---- */

static uint8_t nearest_velocity[128];
static uint8_t nearest_duration[LONGEST_BEAT + 1][LONGEST_BEATS * LONGEST_BEAT + 1]; /* by ticks per beat, by ticks */

/* The index of the value nearest to `wanted`; halfway, the higher one. `values` ascend. */
static uint8_t nearest(const int *values, int count, int wanted)
{
    int i = 0;
    while (i + 1 < count && values[i + 1] - wanted <= wanted - values[i])
        i++;
    return (uint8_t)i;
}

static void fill_tables(void)
{
    static int filled;
    if (filled)
        return;
    int velocities[GRID_VELOCITIES], durations[GRID_DURATIONS];
    for (int i = 0; i < GRID_VELOCITIES; i++)
        velocities[i] = 127 * (i + 1) / GRID_VELOCITIES;
    for (int v = 0; v < 128; v++)
        nearest_velocity[v] = nearest(velocities, GRID_VELOCITIES, v);
    for (int beat = GRID_STEPS_PER_BEAT; beat <= LONGEST_BEAT; beat *= 2) {
        int count = 0;
        for (int eighth = 1; eighth < 4 * 8; eighth++)
            durations[count++] = eighth * beat / 8;
        for (int quarter = 4 * 4; quarter <= LONGEST_BEATS * 4; quarter++)
            durations[count++] = quarter * beat / 4;
        for (int ticks = 0; ticks <= LONGEST_BEATS * beat; ticks++)
            nearest_duration[beat][ticks] = nearest(durations, count, ticks);
    }
    filled = 1;
}

/* ---- time signatures ---- */

static int kind_of(const struct midi_time_signature *signature)
{
    for (int kind = 0; kind < GRID_TIME_SIGNATURES; kind++)
        if (grid_time_signatures[kind][0] == signature->numerator && grid_time_signatures[kind][1] == signature->denominator)
            return kind;
    return -1;
}

static int add_time_signature(struct grid_score *score, int kind, int32_t time, struct reason *why)
{
    if (GROW(score->time_signatures, score->time_signature_capacity, score->time_signature_count + 1, why) < 0)
        return -1;
    score->time_signatures[score->time_signature_count++] =
        (struct grid_time_signature){.time = time, .kind = (uint8_t)kind, .numerator = grid_time_signatures[kind][0], .denominator = grid_time_signatures[kind][1]};
    return 0;
}

/* Those with a place in the vocabulary, in ticks of the file. *smallest: the largest denominator among them, the note value that sets the grid. */
static int keep_known(const struct midi_file *file, struct grid_score *score, int *smallest, struct reason *why)
{
    score->time_signature_count = 0;
    *smallest = 4;
    for (size_t i = 0; i < file->time_signature_count; i++) {
        const struct midi_time_signature *signature = &file->time_signatures[i];
        int kind = kind_of(signature);
        if (kind < 0)
            continue;
        if (score->time_signature_count == 0 && signature->time != 0 && add_time_signature(score, GRID_TIME_SIGNATURES - 1, 0, why) < 0)
            return -1;
        if (add_time_signature(score, kind, signature->time, why) < 0)
            return -1;
        if (signature->denominator > *smallest)
            *smallest = signature->denominator;
    }
    return score->time_signature_count > 0 ? 0 : add_time_signature(score, GRID_TIME_SIGNATURES - 1, 0, why);
}

static int32_t bar_of(const struct grid_time_signature *signature)
{
    return signature->beat * signature->numerator;
}

/* Deletes repetitions, moves each to the next bar of the one before it, and lets the last one at a place win. Works like a stack: what is already
 * placed ends with the one in force. */
static int settle_on_bars(struct grid_score *score, struct reason *why)
{
    struct grid_time_signature *placed = score->time_signatures;
    size_t count = 1;
    for (size_t i = 1; i < score->time_signature_count; i++) {
        struct grid_time_signature next = score->time_signatures[i];
        const struct grid_time_signature *before = &placed[count - 1];
        if (next.kind == before->kind)
            continue;
        int64_t since = next.time > before->time ? next.time - before->time : 0, bar = bar_of(before);
        int64_t time = before->time + (since + bar - 1) / bar * bar;
        if (time > LATEST)
            return fail(why, "a time signature lies too far behind the beginning");
        next.time = (int32_t)time;
        if (next.time == before->time) {
            count--;
            if (count > 0 && placed[count - 1].kind == next.kind)
                continue;
        }
        placed[count++] = next;
    }
    score->time_signature_count = count;
    return 0;
}

/* Stretches of one denominator, from the settled time signatures. With different denominators, starts of notes are rounded to `step` within each. */
static int make_sections(struct grid_score *score, int quarter, struct reason *why)
{
    if (GROW(score->sections, score->section_capacity, score->time_signature_count, why) < 0)
        return -1;
    size_t count = 0;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        const struct grid_time_signature *signature = &score->time_signatures[i];
        if (count > 0 && score->sections[count - 1].beat == signature->beat)
            continue;
        if (count > 0)
            score->sections[count - 1].end = signature->time;
        score->sections[count++] = (struct grid_section){signature->time, INT32_MAX, quarter / (GRID_STEPS_PER_BEAT * signature->denominator / 4), signature->beat};
    }
    if (count == 1)
        score->sections[0].step = 1;
    score->sections[count - 1].end = INT32_MAX;
    return (int)count;
}

/* ---- notes ---- */

/* Half away from zero, as C's round(), for what is not negative. */
static double rounded(double value)
{
    double whole = (double)(int64_t)value;
    return value - whole >= 0.5 ? whole + 1 : whole;
}

static int in_range(uint8_t pitch, int is_drum)
{
    return is_drum ? pitch >= GRID_LOWEST_DRUM && pitch <= GRID_HIGHEST_DRUM : pitch >= GRID_LOWEST_PITCH && pitch <= GRID_HIGHEST_PITCH;
}

/* Which part each track goes into; parts stand where their first track stood. Counts the notes in range. */
static int assign_parts(const struct midi_file *file, int programs, struct grid_score *score, size_t *part_count, struct reason *why)
{
    uint32_t part_of_program[129];
    memset(part_of_program, 0xff, sizeof part_of_program);
    *part_count = 0;
    if (GROW(score->part_of, score->part_of_capacity, file->track_count, why) < 0)
        return -1;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        int is_drum = track->channel == MIDI_DRUM_CHANNEL;
        uint32_t *known = &part_of_program[is_drum ? 128 : track->program];
        if (!programs || *known == UINT32_MAX) {
            if (GROW(score->parts, score->part_capacity, *part_count + 1, why) < 0)
                return -1;
            *known = (uint32_t)*part_count;
            score->parts[(*part_count)++] = (struct grid_part){.program = track->program, .is_drum = (uint8_t)is_drum};
        }
        score->part_of[t] = *known;
        struct grid_part *part = &score->parts[*known];
        part->tracks++;
        for (size_t i = 0; i < track->note_count; i++)
            part->count += (size_t)in_range(file->notes[track->first_note + i].pitch, is_drum);
    }
    return 0;
}

/* The notes in range, in ticks of the grid, part after part in score->raw. */
static int gather_notes(const struct midi_file *file, struct grid_score *score, size_t part_count, int quarter, struct reason *why)
{
    size_t total = 0;
    for (size_t p = 0; p < part_count; p++) {
        score->parts[p].first = total;
        total += score->parts[p].count;
        score->parts[p].count = 0;
    }
    score->note_count = total;
    if (GROW(score->raw, score->raw_capacity, total, why) < 0)
        return -1;
    int resampled = file->ticks_per_quarter != quarter;
    double scale = quarter / file->ticks_per_quarter;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        struct grid_part *part = &score->parts[score->part_of[t]];
        for (size_t i = 0; i < track->note_count; i++) {
            struct midi_note note = file->notes[track->first_note + i];
            if (!in_range(note.pitch, part->is_drum))
                continue;
            if (!resampled && note.start > LATEST)
                return fail(why, "a note lies too far behind the beginning");
            if (resampled) {
                double start = rounded(scale * note.start), duration = rounded(scale * note.duration);
                if (start > LATEST || duration > LATEST)
                    return fail(why, "a note lies too far behind the beginning");
                note.start = (int32_t)start;
                note.duration = duration < 1 ? 1 : (int32_t)duration;
            }
            score->raw[part->first + part->count++] = note;
        }
    }
    return 0;
}

static int compare_notes(const void *a, const void *b)
{
    const struct midi_note *x = a, *y = b;
    if (x->duration != y->duration)
        return x->duration < y->duration ? -1 : 1;
    return x->pitch != y->pitch ? x->pitch - y->pitch : x->velocity - y->velocity;
}

/* Sorts notes that start together. Nearly all such groups are chords of a few notes. */
static void sort_together(struct midi_note *notes, size_t count)
{
    if (count > 16) {
        qsort(notes, count, sizeof *notes, compare_notes);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct midi_note note = notes[i];
        size_t at = i;
        for (; at > 0 && compare_notes(&notes[at - 1], &note) > 0; at--)
            notes[at] = notes[at - 1];
        notes[at] = note;
    }
}

/* By time, duration, pitch, velocity. */
static int sort_part(struct grid_score *score, const struct grid_part *part, struct reason *why)
{
    struct midi_note *notes = score->raw + part->first;
    if (time_order_structs(&score->order, notes, part->count, sizeof *notes, why) < 0)
        return -1;
    for (size_t first = 0, next; first < part->count; first = next) {
        for (next = first + 1; next < part->count && notes[next].start == notes[first].start; next++)
            ;
        sort_together(notes + first, next - first);
    }
    return 0;
}

/* The section of a time at or behind the one at hand. */
static const struct grid_section *section_at(const struct grid_section *section, const struct grid_section *end, int32_t time)
{
    if (time < section->end || section + 1 == end)
        return section;
    if (time < section[1].end)
        return section + 1;
    const struct grid_section *low = section + 1, *high = end - 1;
    while (low < high) {
        const struct grid_section *middle = low + (high - low) / 2;
        if (time < middle->end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* To the nearest step of its section; halfway, to the even one. */
static int32_t on_step(const struct grid_section *section, int32_t time)
{
    int32_t since = time - section->start, steps = since / section->step, rest = since % section->step;
    if (2 * rest > section->step || (2 * rest == section->step && (steps & 1)))
        steps++;
    return section->start + steps * section->step;
}

/* Rounds a part's notes to bins. A start may be rounded up into the next section, whose beat then measures the duration. */
static void round_part(const struct grid_score *score, const struct grid_part *part, size_t section_count, struct grid_note *out)
{
    const struct grid_section *section = score->sections, *end = section + section_count;
    for (size_t i = 0; i < part->count; i++) {
        const struct midi_note *note = &score->raw[part->first + i];
        section = section_at(section, end, note->start);
        int32_t time = section->step > 1 ? on_step(section, note->start) : note->start;
        uint8_t beat = section_at(section, end, time)->beat;
        int32_t longest = LONGEST_BEATS * beat;
        out[i] = (struct grid_note){
            .time = time,
            .pitch = note->pitch,
            .velocity = nearest_velocity[note->velocity],
            .duration = nearest_duration[beat][note->duration < longest ? note->duration : longest],
            .program = (int8_t)(part->is_drum ? GRID_DRUMS : part->program),
        };
    }
}

static int add_sequence(struct grid_score *score, struct grid_sequence sequence, struct reason *why)
{
    if (GROW(score->sequences, score->sequence_capacity, score->sequence_count + 1, why) < 0)
        return -1;
    score->sequences[score->sequence_count++] = sequence;
    return 0;
}

/* One stream of all parts: by time, what happens together in the order of the parts. */
static int join_parts(struct grid_score *score, struct reason *why)
{
    if (add_sequence(score, (struct grid_sequence){.note_count = score->note_count}, why) < 0)
        return -1;
    return time_order_structs(&score->order, score->notes, score->note_count, sizeof *score->notes, why);
}

static int list_parts(struct grid_score *score, size_t part_count, struct reason *why)
{
    for (size_t p = 0; p < part_count; p++) {
        const struct grid_part *part = &score->parts[p];
        struct grid_sequence sequence = {.first_note = part->first, .note_count = part->count, .program = part->program, .is_drum = part->is_drum};
        if (part->count > 0 && add_sequence(score, sequence, why) < 0)
            return -1;
    }
    return score->sequence_count > 0 ? 0 : add_sequence(score, (struct grid_sequence){0}, why);
}

int grid_score_make(const struct midi_file *file, int programs, struct grid_score *score, struct reason *why)
{
    int smallest;
    size_t part_count;
    fill_tables();
    score->sequence_count = score->note_count = 0;
    if (keep_known(file, score, &smallest, why) < 0)
        return -1;
    int quarter = GRID_STEPS_PER_BEAT * smallest / 4;
    double scale = quarter / file->ticks_per_quarter;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        struct grid_time_signature *signature = &score->time_signatures[i];
        if (signature->time * scale > LATEST)
            return fail(why, "a time signature lies too far behind the beginning");
        signature->time = (int32_t)(signature->time * scale);
        signature->beat = (uint8_t)(quarter * 4 / signature->denominator);
    }
    if (settle_on_bars(score, why) < 0)
        return -1;
    int sections = make_sections(score, quarter, why);
    if (sections < 0 || assign_parts(file, programs, score, &part_count, why) < 0 || gather_notes(file, score, part_count, quarter, why) < 0 ||
        GROW(score->notes, score->note_capacity, score->note_count, why) < 0)
        return -1;
    for (size_t p = 0; p < part_count; p++) {
        const struct grid_part *part = &score->parts[p];
        if (programs && part->tracks > 1 && sort_part(score, part, why) < 0)
            return -1;
        round_part(score, part, (size_t)sections, score->notes + part->first);
    }
    return programs ? join_parts(score, why) : list_parts(score, part_count, why);
}

void grid_score_free(struct grid_score *score)
{
    free(score->time_signatures);
    free(score->notes);
    free(score->sequences);
    free(score->parts);
    free(score->part_of);
    free(score->raw);
    free(score->sections);
    time_order_free(&score->order);
    *score = (struct grid_score){0};
}
