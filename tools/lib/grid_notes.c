#include "grid_parts.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

/* ---- parts ---- */

static const struct config_span *range_of(const struct tokenizer *tokenizer, int is_drum)
{
    return is_drum && tokenizer->config.use_pitchdrum_tokens ? &tokenizer->config.drums_pitch_range : &tokenizer->config.pitch_range;
}

/* Which part each track goes into; parts stand where their first track stood. Counts the notes in range. */
static int assign_parts(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, size_t *part_count, struct reason *why)
{
    uint32_t part_of_program[129];
    int merge = config_one_stream(&tokenizer->config);
    memset(part_of_program, 0xff, sizeof part_of_program);
    *part_count = 0;
    if (GROW(score->part_of, score->part_of_capacity, file->track_count, why) < 0)
        return -1;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        int is_drum = track->channel == MIDI_DRUM_CHANNEL;
        uint32_t *known = &part_of_program[is_drum ? 128 : track->program];
        if (!merge || *known == UINT32_MAX) {
            if (GROW(score->parts, score->part_capacity, *part_count + 1, why) < 0)
                return -1;
            *known = (uint32_t)*part_count;
            score->parts[(*part_count)++] = (struct grid_part){.program = track->program, .is_drum = (uint8_t)is_drum};
        }
        score->part_of[t] = *known;
        struct grid_part *part = &score->parts[*known];
        const struct config_span *range = range_of(tokenizer, is_drum);
        part->tracks++;
        const struct midi_note *note = file->notes + track->first_note;
        for (size_t i = 0; i < track->note_count; i++)
            part->count += (size_t)((unsigned)(note[i].pitch - range->first) <= (unsigned)(range->last - range->first));
    }
    return 0;
}

static int late(struct reason *why)
{
    return fail(why, "a note lies too far behind the beginning");
}

/* The notes in range, in ticks of the grid, part after part. */
static int gather_notes(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, size_t part_count, struct reason *why)
{
    size_t total = 0;
    for (size_t p = 0; p < part_count; p++) {
        score->parts[p].first = total;
        total += score->parts[p].count;
        score->parts[p].count = 0;
    }
    score->note_count = total;
    if (GROW(score->notes, score->note_capacity, total + 1, why) < 0)
        return -1;
    int resampled = file->ticks_per_quarter != score->quarter;
    double scale = score->quarter / file->ticks_per_quarter;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        struct grid_part *part = &score->parts[score->part_of[t]];
        const struct config_span range = *range_of(tokenizer, part->is_drum);
        const struct midi_note *note = file->notes + track->first_note, *end = note + track->note_count;
        struct grid_note *out = score->notes + part->first + part->count, *begin = out;
        for (; note < end; note++) {
            if ((unsigned)(note->pitch - range.first) > (unsigned)(range.last - range.first))
                continue;
            *out = (struct grid_note){.time = note->start, .duration = note->duration, .pitch = note->pitch, .velocity = note->velocity};
            if (resampled) {
                int64_t start = grid_rounded(scale * note->start), duration = grid_rounded(scale * note->duration);
                if (start > GRID_LATEST || duration > GRID_LATEST)
                    return late(why);
                out->time = (int32_t)start;
                out->duration = duration < 1 ? 1 : (int32_t)duration;
            } else if (note->start > GRID_LATEST || note->duration > GRID_LATEST) {
                return late(why);
            }
            out++;
        }
        part->count += (size_t)(out - begin);
    }
    return 0;
}

/* ---- sorting ---- */

/* What notes that start together are ordered by: the first of these that differs, the least first. No number is negative. */
static inline uint64_t duration_pitch_velocity(const struct grid_note *note)
{
    return (uint64_t)(uint32_t)note->duration << 16 | (uint64_t)note->pitch << 8 | note->velocity;
}

static inline uint64_t pitch_duration_velocity(const struct grid_note *note)
{
    return (uint64_t)note->pitch << 40 | (uint64_t)(uint32_t)note->duration << 8 | note->velocity;
}

static int compare_by_duration(const void *a, const void *b)
{
    uint64_t x = duration_pitch_velocity(a), y = duration_pitch_velocity(b);
    return (x > y) - (x < y);
}

static int compare_by_pitch(const void *a, const void *b)
{
    uint64_t x = pitch_duration_velocity(a), y = pitch_duration_velocity(b);
    return (x > y) - (x < y);
}

/* Two of the above that belong together. */
struct note_order { uint64_t (*key)(const struct grid_note *note); int (*compare)(const void *a, const void *b); };

/* Sorts notes that start together. Nearly all such groups are chords of a few notes. */
static inline void sort_together(struct grid_note *notes, size_t count, struct note_order order)
{
    if (count > 16) {
        qsort(notes, count, sizeof *notes, order.compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct grid_note note = notes[i];
        uint64_t key = order.key(&note);
        size_t at = i;
        for (; at > 0 && order.key(&notes[at - 1]) > key; at--)
            notes[at] = notes[at - 1];
        notes[at] = note;
    }
}

/* By time; what starts together by `order`. Inlined for each, so that a key is a few instructions. */
static inline __attribute__((always_inline)) int sort_part(struct grid_score *score, const struct grid_part *part, struct note_order order, struct reason *why)
{
    struct grid_note *notes = score->notes + part->first;
    if (time_order_sort(&score->order, notes, part->count, sizeof *notes, why) < 0)
        return -1;
    for (size_t first = 0, next; first < part->count; first = next) {
        for (next = first + 1; next < part->count && notes[next].time == notes[first].time; next++)
            ;
        if (next - first > 1)
            sort_together(notes + first, next - first, order);
    }
    return 0;
}

/* ---- rounding ---- */

/* Rounds a part's notes to what tokens can say. A start may be rounded up into the next section, whose beat then measures the duration. */
static int round_part(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_part *part, struct reason *why)
{
    const struct grid_section *section = score->sections, *end = section + score->section_count;
    int has_durations = config_has_program(&tokenizer->config.use_note_duration_programs, part->is_drum ? GRID_DRUMS : part->program);
    int round_ends = tokenizer->note_on_off && has_durations, mixed = score->section_count > 1;
    int to_bins = !tokenizer->note_on_off && has_durations && tokenizer->config.tokenization != PER_TOK;
    struct grid_note *note = score->notes + part->first, *notes_end = note + part->count;
    for (; note < notes_end; note++) {
        note->velocity = tokenizer->nearest_velocity[note->velocity];
        if (mixed) {
            section = grid_section_at(section, end, note->time);
            if (round_ends)
                grid_round_ends(score, section, &note->time, &note->duration);
            else
                note->time = grid_on_step(section, note->time);
        }
        if (!to_bins)
            continue;
        const struct beat_table *table = mixed ? grid_section_at(section, end, note->time)->table : section->table;
        if (!table)
            return fail(why, "the vocabulary has no durations for the file's time signatures");
        note->length = beat_nearest(table, note->duration);
        note->duration = table->ticks[note->length];
    }
    return 0;
}

/* Of notes of one pitch that start together the shortest stays. */
static int remove_duplicates(struct grid_score *score, struct grid_part *part, struct reason *why)
{
    if (sort_part(score, part, (struct note_order){pitch_duration_velocity, compare_by_pitch}, why) < 0)
        return -1;
    struct grid_note *notes = score->notes + part->first;
    size_t kept = part->count > 0;
    for (size_t i = 1; i < part->count; i++)
        if (notes[i].time != notes[kept - 1].time || notes[i].pitch != notes[kept - 1].pitch)
            notes[kept++] = notes[i];
    part->count = kept;
    return 0;
}

static int add_track(struct grid_score *score, const struct grid_part *part, struct reason *why)
{
    if (part->count + part->pedal_count + part->bend_count + part->control_count == 0)
        return 0;
    if (GROW(score->tracks, score->track_capacity, score->track_count + 1, why) < 0)
        return -1;
    score->tracks[score->track_count++] = (struct grid_track){
        .program = part->program, .is_drum = part->is_drum, .value = (int16_t)(part->is_drum ? GRID_DRUMS : part->program),
        .first_note = part->first, .note_count = part->count, .first_pedal = part->first_pedal, .pedal_count = part->pedal_count,
        .first_bend = part->first_bend, .bend_count = part->bend_count, .first_control = part->first_control, .control_count = part->control_count};
    return 0;
}

static int finish_part(const struct tokenizer *tokenizer, struct grid_score *score, struct grid_part *part, struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    if (config->use_programs && !config_has_program(&config->programs, part->is_drum ? GRID_DRUMS : part->program)) {
        score->note_count -= part->count;
        return 0;
    }
    size_t count = part->count;
    if (part->tracks > 1 && sort_part(score, part, (struct note_order){duration_pitch_velocity, compare_by_duration}, why) < 0)
        return -1;
    if (round_part(tokenizer, score, part, why) < 0 || (config->remove_duplicated_notes && remove_duplicates(score, part, why) < 0))
        return -1;
    score->note_count -= count - part->count;
    if (part->pedal_count > 0 && grid_round_pedals(tokenizer, score, part, why) < 0)
        return -1;
    grid_round_bends(tokenizer, score, part);
    return add_track(score, part, why);
}

int grid_make_notes(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    size_t part_count;
    score->track_count = score->note_count = 0;
    if (assign_parts(tokenizer, file, score, &part_count, why) < 0 || gather_notes(tokenizer, file, score, part_count, why) < 0 ||
        grid_gather_effects(tokenizer, file, score, part_count, why) < 0)
        return -1;
    for (size_t p = 0; p < part_count; p++)
        if (finish_part(tokenizer, score, &score->parts[p], why) < 0)
            return -1;
    return 0;
}
