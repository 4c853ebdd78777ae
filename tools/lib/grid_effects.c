#include "grid_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

static int scaled(const struct midi_file *file, const struct grid_score *score, int32_t time, int32_t *out, struct reason *why)
{
    int64_t value = file->ticks_per_quarter == score->quarter ? time : grid_rounded(score->quarter / file->ticks_per_quarter * time);
    if (value > GRID_LATEST)
        return fail(why, "an event lies too far behind the beginning");
    *out = (int32_t)value;
    return 0;
}

/* ---- pedals and bends ---- */

/* Where tracks are not merged, each is its own part; where they are, there are at most 129 parts to look through them for. */
static int gather_pedals(const struct midi_file *file, struct grid_score *score, size_t part, int merged, struct reason *why)
{
    int resampled = file->ticks_per_quarter != score->quarter;
    score->parts[part].first_pedal = score->pedal_count;
    for (size_t t = merged ? 0 : part, end = merged ? file->track_count : part + 1; t < end; t++) {
        const struct midi_track *track = &file->tracks[t];
        if (score->part_of[t] != part)
            continue;
        if (GROW(score->pedals, score->pedal_capacity, score->pedal_count + track->pedal_count + 1, why) < 0)
            return -1;
        for (size_t i = 0; i < track->pedal_count; i++) {
            const struct midi_pedal *from = &file->pedals[track->first_pedal + i];
            struct grid_pedal *pedal = &score->pedals[score->pedal_count++];
            *pedal = (struct grid_pedal){0};
            if (scaled(file, score, from->start, &pedal->time, why) < 0 || scaled(file, score, from->duration, &pedal->duration, why) < 0)
                return -1;
            if (resampled && pedal->duration < 1)
                pedal->duration = 1;
        }
    }
    score->parts[part].pedal_count = score->pedal_count - score->parts[part].first_pedal;
    return 0;
}

static int gather_bends(const struct midi_file *file, struct grid_score *score, size_t part, int merged, struct reason *why)
{
    score->parts[part].first_bend = score->bend_count;
    for (size_t t = merged ? 0 : part, end = merged ? file->track_count : part + 1; t < end; t++) {
        const struct midi_track *track = &file->tracks[t];
        if (score->part_of[t] != part)
            continue;
        if (GROW(score->bends, score->bend_capacity, score->bend_count + track->pitch_bend_count + 1, why) < 0)
            return -1;
        for (size_t i = 0; i < track->pitch_bend_count; i++) {
            const struct midi_pitch_bend *from = &file->pitch_bends[track->first_pitch_bend + i];
            struct grid_change *bend = &score->bends[score->bend_count++];
            bend->value = from->value;
            if (scaled(file, score, from->time, &bend->time, why) < 0)
                return -1;
        }
    }
    score->parts[part].bend_count = score->bend_count - score->parts[part].first_bend;
    return 0;
}

/* Whether a control change that repeats the one before it, at the same time, says nothing new: those of continuous controllers and switches. */
static int is_state(int number)
{
    static const uint8_t states[128] = {[1] = 1, [2] = 1, [4] = 1, [5] = 1, [7] = 1, [8] = 1, [10] = 1, [11] = 1, [64] = 1, [65] = 1, [66] = 1, [67] = 1,
                                        [68] = 1, [69] = 1, [71] = 1, [72] = 1, [73] = 1, [74] = 1, [75] = 1, [76] = 1, [77] = 1, [78] = 1, [91] = 1,
                                        [92] = 1, [93] = 1, [94] = 1, [95] = 1};
    return states[number];
}

static int add_controls(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, const struct midi_track *track,
                        struct reason *why)
{
    if (GROW(score->controls, score->control_capacity, score->control_count + track->control_count, why) < 0)
        return -1;
    size_t first = score->control_count;
    struct midi_control before = {.time = -1};
    for (size_t i = 0; i < track->control_count; i++) {
        struct midi_control control = file->controls[track->first_control + i];
        control.value = tokenizer->nearest_control[control.number][control.value];
        int repeats = control.time == before.time && control.number == before.number && control.value == before.value && is_state(control.number);
        before = control;
        if (repeats || !tokenizer->config.control_change_numbers[control.number])
            continue;
        struct grid_change *change = &score->controls[score->control_count++];
        change->value = control.number * 128 + control.value;
        if (scaled(file, score, control.time, &change->time, why) < 0)
            return -1;
    }
    grid_round_times(score, score->controls + first, score->control_count - first, sizeof *score->controls);
    return 0;
}

static int gather_controls(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, size_t part, int merged,
                           struct reason *why)
{
    score->parts[part].first_control = score->control_count;
    for (size_t t = merged ? 0 : part, end = merged ? file->track_count : part + 1; t < end; t++)
        if (score->part_of[t] == part && add_controls(tokenizer, file, score, &file->tracks[t], why) < 0)
            return -1;
    score->parts[part].control_count = score->control_count - score->parts[part].first_control;
    return 0;
}

static int compare_pedals(const void *a, const void *b)
{
    const struct grid_pedal *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->duration > y->duration) - (x->duration < y->duration);
}

int grid_gather_effects(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, size_t part_count, struct reason *why)
{
    int merged = config_one_stream(&tokenizer->config);
    score->pedal_count = score->bend_count = score->control_count = 0;
    for (size_t p = 0; p < part_count; p++) {
        struct grid_part *part = &score->parts[p];
        if (tokenizer->config.use_sustain_pedals && gather_pedals(file, score, p, merged, why) < 0)
            return -1;
        if (tokenizer->config.use_pitch_bends && gather_bends(file, score, p, merged, why) < 0)
            return -1;
        if (tokenizer->config.use_control_changes && gather_controls(tokenizer, file, score, p, merged, why) < 0)
            return -1;
        if (part->tracks < 2)
            continue;
        if (part->control_count > 0 &&
            time_order_sort(&score->order, score->controls + part->first_control, part->control_count, sizeof *score->controls, why) < 0)
            return -1;
        if (part->pedal_count > 0)
            qsort(score->pedals + part->first_pedal, part->pedal_count, sizeof *score->pedals, compare_pedals);
        if (part->bend_count > 0 && time_order_sort(&score->order, score->bends + part->first_bend, part->bend_count, sizeof *score->bends, why) < 0)
            return -1;
    }
    return 0;
}

int grid_round_pedals(const struct tokenizer *tokenizer, struct grid_score *score, struct grid_part *part, struct reason *why)
{
    struct grid_pedal *pedals = score->pedals + part->first_pedal;
    const struct grid_section *section = score->sections, *end = section + score->section_count;
    int as_durations = tokenizer->config.sustain_pedal_duration, exact = tokenizer->config.tokenization == PER_TOK;
    if (as_durations)
        grid_round_times(score, pedals, part->pedal_count, sizeof *pedals);
    for (size_t i = 0; !as_durations && score->section_count > 1 && i < part->pedal_count; i++) {
        section = grid_section_at(section, end, pedals[i].time);
        grid_round_ends(score, section, &pedals[i].time, &pedals[i].duration);
    }
    /* What overlaps or touches becomes one. */
    size_t kept = 0;
    for (size_t i = 0; i < part->pedal_count; i++) {
        struct grid_pedal *last = kept > 0 ? &pedals[kept - 1] : NULL;
        if (!last || last->time + last->duration < pedals[i].time) {
            pedals[kept++] = pedals[i];
            continue;
        }
        int32_t longer = pedals[i].time + pedals[i].duration - last->time;
        last->duration = longer > last->duration ? longer : last->duration;
    }
    part->pedal_count = kept;
    section = score->sections;
    for (size_t i = 0; as_durations && !exact && i < kept; i++) {
        section = grid_section_at(section, end, pedals[i].time);
        if (!section->table)
            return fail(why, "the vocabulary has no durations for the file's time signatures");
        pedals[i].length = beat_nearest(section->table, pedals[i].duration);
        pedals[i].duration = section->table->ticks[pedals[i].length];
    }
    return 0;
}

/* The index of the value nearest to `wanted`; halfway, the higher one. `values` ascend. */
static int32_t nearest_whole(const int32_t *values, int32_t count, int32_t wanted)
{
    int32_t low = 0, high = count; /* the first of at least `wanted` */
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (values[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || (low > 0 && wanted - values[low - 1] < values[low] - wanted))
        low--;
    return low;
}

/* Of bends at one time the one farthest from 0 stays, the first of equals. */
void grid_round_bends(const struct tokenizer *tokenizer, struct grid_score *score, struct grid_part *part)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t kept = 0;
    if (part->bend_count == 0)
        return;
    struct grid_change *bends = score->bends + part->first_bend;
    grid_round_times(score, bends, part->bend_count, sizeof *bends);
    for (size_t i = 0; i < part->bend_count; i++) {
        struct grid_change bend = {bends[i].time, nearest_whole(vocabulary->pitch_bends, tokenizer->config.pitch_bend_range.count, bends[i].value)};
        if (kept == 0 || bends[kept - 1].time != bend.time)
            bends[kept++] = bend;
        else if (abs(vocabulary->pitch_bends[bend.value]) > abs(vocabulary->pitch_bends[bends[kept - 1].value]))
            bends[kept - 1].value = bend.value;
    }
    part->bend_count = kept;
}

/* ---- tempos and key signatures ---- */

/* The index of the tempo nearest to `microseconds` per quarter note; halfway, the slower one. Tempos ascend, so their microseconds descend. */
static int32_t nearest_tempo(const struct tokenizer *tokenizer, uint32_t microseconds)
{
    const double *tempos = tokenizer->vocabulary.tempos;
    int32_t low = 0, high = tokenizer->config.num_tempos; /* the first of less than `microseconds` */
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (60000000 / tempos[middle] >= microseconds)
            low = middle + 1;
        else
            high = middle;
    }
    /* low - 1: the last of at least so many */
    if (low == 0)
        return 0;
    if (low < tokenizer->config.num_tempos && fabs(microseconds - 60000000 / tempos[low]) < fabs(microseconds - 60000000 / tempos[low - 1]))
        return low;
    return low - 1;
}

static int32_t default_tempo(const struct tokenizer *tokenizer)
{
    const double *tempos = tokenizer->vocabulary.tempos;
    int32_t best = 0;
    for (int32_t i = 1; i < tokenizer->config.num_tempos; i++)
        if (fabs(tempos[i] - 120) < fabs(tempos[best] - 120))
            best = i;
    return best;
}

/* The last tempo at a time stays, and without repetitions where those are not wanted; the first one stands at 0. */
static int make_tempos(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    int once = tokenizer->config.delete_equal_successive_tempo_changes;
    int32_t usual = default_tempo(tokenizer);
    if (GROW(score->tempos, score->tempo_capacity, file->tempo_count + 1, why) < 0)
        return -1;
    struct grid_change *tempos = score->tempos + 1; /* room for one in front */
    for (size_t i = 0; i < file->tempo_count; i++) {
        tempos[i].value = nearest_tempo(tokenizer, file->tempos[i].microseconds);
        if (scaled(file, score, file->tempos[i].time, &tempos[i].time, why) < 0)
            return -1;
    }
    grid_round_times(score, tempos, file->tempo_count, sizeof *tempos);
    size_t count = 0;
    for (size_t i = 0; i < file->tempo_count; i++) {
        if (i + 1 < file->tempo_count && tempos[i + 1].time == tempos[i].time)
            continue;
        if (!once || count == 0 || tokenizer->vocabulary.tempos[tempos[i].value] != tokenizer->vocabulary.tempos[tempos[count - 1].value])
            tempos[count++] = tempos[i];
    }
    /* MidiTok compares the first one with the usual tempo after it has been through whole microseconds. */
    double first = count > 0 ? 60e6 / (int32_t)(60000000 / tokenizer->vocabulary.tempos[tempos[0].value]) : 0;
    if (count > 0 && once && first == tokenizer->vocabulary.tempos[usual])
        tempos[0].time = 0;
    int in_front = count == 0 || tempos[0].time != 0;
    score->tempos[0] = (struct grid_change){0, usual};
    score->tempo_count = count + (size_t)in_front;
    if (!in_front)
        memmove(score->tempos, tempos, count * sizeof *tempos);
    return 0;
}

/* The last one at a time stays; without one at 0, C major stands there. */
static int make_keys(const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    if (GROW(score->keys, score->key_capacity, file->key_signature_count + 1, why) < 0)
        return -1;
    struct grid_change *keys = score->keys + 1;
    for (size_t i = 0; i < file->key_signature_count; i++) {
        keys[i].value = 2 * (file->key_signatures[i].sharps + 7) + file->key_signatures[i].minor;
        if (scaled(file, score, file->key_signatures[i].time, &keys[i].time, why) < 0)
            return -1;
    }
    grid_round_times(score, keys, file->key_signature_count, sizeof *keys);
    size_t count = 0;
    for (size_t i = 0; i < file->key_signature_count; i++)
        if (i + 1 == file->key_signature_count || keys[i + 1].time != keys[i].time)
            keys[count++] = keys[i];
    int in_front = count == 0 || keys[0].time != 0;
    score->keys[0] = (struct grid_change){0, 2 * 7};
    score->key_count = count + (size_t)in_front;
    if (!in_front)
        memmove(score->keys, keys, count * sizeof *keys);
    return 0;
}

int grid_make_globals(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    score->tempo_count = score->key_count = 0;
    if (tokenizer->config.use_tempos && make_tempos(tokenizer, file, score, why) < 0)
        return -1;
    return tokenizer->config.use_key_signatures ? make_keys(file, score, why) : 0;
}
