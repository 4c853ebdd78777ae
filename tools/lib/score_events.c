#include "score_events.h"

#include <stdlib.h>

#include "grow.h"

int score_events_add(struct score_events *events, struct score_event event, struct reason *why)
{
    if (GROW(events->list, events->capacity, events->count + 1, why) < 0)
        return -1;
    events->list[events->count++] = event;
    return 0;
}

/* ---- making ---- */

static int add_globals(const struct tokenizer *tokenizer, const struct grid_score *score, struct score_events *events, struct reason *why)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t count = score->time_signature_count + score->tempo_count + score->key_count;
    if (GROW(events->list, events->capacity, events->count + count, why) < 0)
        return -1;
    struct score_event *out = events->list + events->count;
    for (size_t i = 0; i < score->time_signature_count; i++)
        *out++ = (struct score_event){.time = score->time_signatures[i].time, .kind = EVENT_TIME_SIG, .length = LENGTH_NONE, .end = (int32_t)i,
                                      .id = vocabulary_id(vocabulary, TOKEN_TIME_SIG, score->time_signatures[i].kind)};
    for (size_t i = 0; i < score->tempo_count; i++)
        *out++ = (struct score_event){.time = score->tempos[i].time, .kind = EVENT_TEMPO, .length = LENGTH_NONE,
                                      .id = vocabulary_id(vocabulary, TOKEN_TEMPO, score->tempos[i].value)};
    for (size_t i = 0; i < score->key_count; i++)
        *out++ = (struct score_event){.time = score->keys[i].time, .kind = EVENT_KEY_SIG, .length = LENGTH_NONE,
                                      .id = vocabulary_id(vocabulary, TOKEN_KEY_SIG, score->keys[i].value)};
    events->count += count;
    return 0;
}

static int add_effects(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_track *track, struct score_events *events,
                       struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (GROW(events->list, events->capacity, events->count + 2 * track->pedal_count + track->bend_count + track->control_count, why) < 0)
        return -1;
    struct score_event *out = events->list + events->count;
    /* Without programs the vocabulary has Pedal_0 alone. (MidiTok looks for the track's program, and fails where that is another.) */
    int32_t value = config->use_programs ? track->value : 0;
    for (size_t i = 0; i < track->pedal_count; i++) {
        const struct grid_pedal *pedal = &score->pedals[track->first_pedal + i];
        *out++ = (struct score_event){.time = pedal->time, .end = pedal->time + pedal->duration, .kind = EVENT_PEDAL, .program = track->value,
                                      .length = config->sustain_pedal_duration ? (uint16_t)pedal->length : LENGTH_NONE,
                                      .id = vocabulary_id(vocabulary, TOKEN_PEDAL, value)};
        if (!config->sustain_pedal_duration)
            *out++ = (struct score_event){.time = pedal->time + pedal->duration, .kind = EVENT_PEDAL_OFF, .program = track->value, .length = LENGTH_NONE,
                                          .id = vocabulary_id(vocabulary, TOKEN_PEDAL_OFF, value)};
    }
    for (size_t i = 0; i < track->bend_count; i++)
        *out++ = (struct score_event){.time = score->bends[track->first_bend + i].time, .kind = EVENT_BEND, .program = track->value, .length = LENGTH_NONE,
                                      .id = vocabulary_id(vocabulary, TOKEN_PITCH_BEND, score->bends[track->first_bend + i].value)};
    for (size_t i = 0; i < track->control_count; i++)
        *out++ = (struct score_event){.time = score->controls[track->first_control + i].time, .kind = EVENT_CONTROL, .program = track->value,
                                      .length = LENGTH_NONE,
                                      .id = vocabulary_id(vocabulary, TOKEN_CONTROL_CHANGE, score->controls[track->first_control + i].value)};
    events->count = (size_t)(out - events->list);
    return 0;
}

/* What is known of the notes before, for pitches as intervals. */
struct intervals { const struct grid_section *section, *end; int32_t reach, onset, pitch, chord_pitch; double distance; int32_t most; };

static int32_t reach_of(const struct intervals *intervals)
{
    double reach = intervals->section->beat * intervals->distance, whole = (double)(int64_t)reach, rest = reach - whole;
    return (int32_t)whole + (rest > 0.5 || (rest == 0.5 && ((int64_t)whole & 1)));
}

/* The id of the interval to the note before, or -1 if the pitch is to be told as it is. */
static int32_t interval_id(const struct vocabulary *vocabulary, struct intervals *before, const struct grid_note *note)
{
    int32_t id = -1;
    if (note->time >= before->section->end && before->section + 1 < before->end) { /* one step, however far the note is: as MidiTok */
        before->section++;
        before->reach = reach_of(before);
    }
    if (note->time != before->onset) {
        if (note->time - before->onset <= before->reach && abs(note->pitch - before->pitch) <= before->most)
            id = vocabulary_id(vocabulary, TOKEN_PITCH_INTERVAL_TIME, note->pitch - before->pitch);
        before->pitch = before->chord_pitch = note->pitch;
    } else {
        if (abs(note->pitch - before->chord_pitch) <= before->most)
            id = vocabulary_id(vocabulary, TOKEN_PITCH_INTERVAL_CHORD, note->pitch - before->chord_pitch);
        else
            before->pitch = note->pitch;
        before->chord_pitch = note->pitch;
    }
    before->onset = note->time;
    return id;
}

static int add_notes(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_track *track, struct score_events *events,
                     struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    int as_drums = track->is_drum && (config->use_pitchdrum_tokens || config->tokenization == MU_MIDI), on_off = tokenizer->note_on_off;
    int has_durations = config_has_program(&config->use_note_duration_programs, track->value);
    int as_intervals = config->use_pitch_intervals && !track->is_drum && config->tokenization != MU_MIDI;
    enum token_type on = on_off ? (as_drums ? TOKEN_DRUM_ON : TOKEN_NOTE_ON) : as_drums ? TOKEN_PITCH_DRUM : TOKEN_PITCH;
    int32_t on_ids[128], off_ids[128];
    for (int pitch = 0; pitch < 128; pitch++) {
        on_ids[pitch] = vocabulary_id(vocabulary, on, pitch);
        off_ids[pitch] = vocabulary_id(vocabulary, as_drums ? TOKEN_DRUM_OFF : TOKEN_NOTE_OFF, pitch);
    }
    struct intervals before = {.section = score->sections, .end = score->sections + score->section_count, .pitch = -128, .chord_pitch = -128,
                               .distance = config->pitch_intervals_max_time_dist, .most = config->max_pitch_interval};
    before.reach = reach_of(&before);
    before.onset = -before.reach - 1;
    if (GROW(events->list, events->capacity, events->count + 2 * track->note_count, why) < 0)
        return -1;
    struct score_event *out = events->list + events->count;
    const struct grid_note *note = score->notes + track->first_note, *end = note + track->note_count;
    for (; note < end; note++) {
        int32_t id = as_intervals ? interval_id(vocabulary, &before, note) : -1;
        *out++ = (struct score_event){.time = note->time, .end = note->time + note->duration, .id = id >= 0 ? id : on_ids[note->pitch],
                                      .length = has_durations && !on_off ? note->length : LENGTH_NONE, .kind = EVENT_NOTE, .velocity = note->velocity,
                                      .program = track->value};
        if (has_durations && on_off)
            *out++ = (struct score_event){.time = note->time + note->duration, .id = off_ids[note->pitch], .length = LENGTH_NONE, .kind = EVENT_NOTE_OFF,
                                          .program = track->value};
    }
    events->count = (size_t)(out - events->list);
    return 0;
}

static int add_track(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_track *track, struct score_events *events,
                     struct reason *why)
{
    if (add_effects(tokenizer, score, track, events, why) < 0)
        return -1;
    if (tokenizer->config.use_chords && !track->is_drum && add_chord_events(tokenizer, score, track, events, why) < 0)
        return -1;
    return add_notes(tokenizer, score, track, events, why);
}

static int add_tracks(const struct tokenizer *tokenizer, const struct grid_score *score, size_t first, size_t end, struct score_events *events,
                      struct reason *why)
{
    for (size_t t = first; t < end && t < score->track_count; t++)
        if (add_track(tokenizer, score, &score->tracks[t], events, why) < 0)
            return -1;
    return 0;
}

/* MuMIDI: in the order of programs. (MidiTok asks for the program of a drum track too, mostly 0, not for -1 alone.) */
static int add_by_program(const struct tokenizer *tokenizer, const struct grid_score *score, struct score_events *events, struct reason *why)
{
    for (int program = GRID_DRUMS; program < 128; program++)
        for (size_t t = 0; t < score->track_count; t++)
            if (score->tracks[t].value == program && config_has_program(&tokenizer->config.programs, score->tracks[t].program) &&
                add_track(tokenizer, score, &score->tracks[t], events, why) < 0)
                return -1;
    return 0;
}

/* ---- order ---- */

/* MIDILike with chords: what happens together is sorted by this too. */
static int rank(const struct score_event *event)
{
    static const uint8_t ranks[] = {[EVENT_NOTE_OFF] = 1, [EVENT_PEDAL] = 2, [EVENT_PEDAL_OFF] = 2, [EVENT_BEND] = 3, [EVENT_CONTROL] = 4, [EVENT_CHORD] = 10,
                                    [EVENT_NOTE] = 10};
    return ranks[event->kind];
}

/* Stable, and linear for a group of any size. */
static int sort_by_rank(struct score_events *events, struct reason *why)
{
    struct score_event *list = events->list;
    for (size_t first = 0, next; first < events->count; first = next) {
        int32_t time = list[first].time;
        int sorted = 1;
        for (next = first + 1; next < events->count && list[next].time == time; next++)
            sorted &= rank(&list[next]) >= rank(&list[next - 1]);
        if (sorted)
            continue;
        for (size_t i = first; i < next; i++)
            list[i].time = rank(&list[i]); /* structs are sorted by what they begin with */
        if (time_order_sort(&events->order, list + first, next - first, sizeof *list, why) < 0)
            return -1;
        for (size_t i = first; i < next; i++)
            list[i].time = time;
    }
    return 0;
}

/* Where another program plays than before, the event is marked. */
static void mark_program_changes(struct score_events *events)
{
    int program = INT16_MIN;
    for (size_t i = 0; i < events->count; i++) {
        struct score_event *event = &events->list[i];
        if (event->kind == EVENT_TIME_SIG || event->kind == EVENT_TEMPO || event->kind == EVENT_PEDAL || event->kind == EVENT_PEDAL_OFF)
            continue;
        event->program_changes = event->program != program;
        program = event->program;
    }
}

int score_events_make(const struct tokenizer *tokenizer, const struct grid_score *score, long track, struct score_events *events, struct reason *why)
{
    events->count = 0;
    if (add_globals(tokenizer, score, events, why) < 0)
        return -1;
    size_t first = track < 0 ? 0 : (size_t)track, end = track < 0 ? score->track_count : first + 1;
    if (tokenizer->config.tokenization == MU_MIDI ? add_by_program(tokenizer, score, events, why) < 0
                                                  : add_tracks(tokenizer, score, first, end, events, why) < 0)
        return -1;
    if (time_order_sort_list(&events->order, &events->list, &events->capacity, events->count, sizeof *events->list, why) < 0)
        return -1;
    if (tokenizer->note_on_off && tokenizer->config.use_chords && sort_by_rank(events, why) < 0)
        return -1;
    if (tokenizer->config.program_changes && config_one_stream(&tokenizer->config))
        mark_program_changes(events);
    return 0;
}

void score_events_free(struct score_events *events)
{
    free(events->list);
    time_order_free(&events->order);
    *events = (struct score_events){0};
}
