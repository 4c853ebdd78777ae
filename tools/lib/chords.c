#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score_events.h"

/* MidiTok looks at so many notes at a time. */
#define WINDOW 10

struct chord_note { int32_t pitch, start, end; };

/* The chord's value in the vocabulary, or -1 if it is none that has a token. `root`: the pitch of the first note looked at. */
static int32_t chord_value(const struct tokenizer_config *config, const struct chord_note *notes, int count, int32_t root)
{
    int with_root = config->chord_tokens_with_root_note;
    int32_t per_quality = with_root ? 12 : 1, class = with_root ? root % 12 : 0;
    for (size_t q = 0; q < config->chord_maps.count; q++) {
        const struct chord_map *map = &config->chord_maps.maps[q];
        int same = map->count == (size_t)count;
        for (int i = 0; same && i < count; i++)
            same = map->intervals[i] == notes[i].pitch - notes[0].pitch;
        if (same)
            return (int32_t)q * per_quality + class;
    }
    if (!config->chord_unknown.given || count < config->chord_unknown.first || count >= config->chord_unknown.end)
        return -1;
    return ((int32_t)config->chord_maps.count + count - config->chord_unknown.first) * per_quality + class;
}

/* Keeps the notes for which `keep` holds; how many. */
static int keep_starting(struct chord_note *notes, int count, double latest)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (notes[i].start <= latest)
            notes[kept++] = notes[i];
    return kept;
}

static int keep_ending(struct chord_note *notes, int count, int32_t latest)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (notes[i].end <= latest)
            notes[kept++] = notes[i];
    return kept;
}

static int32_t steps_per_first_beat(const struct beat_resolution *beats)
{
    for (size_t i = 0; i < beats->count; i++)
        if (beats->ranges[i].first == 0)
            return beats->ranges[i].resolution;
    return beats->ranges[0].resolution;
}

static int window_of(const struct grid_note *notes, size_t count, struct chord_note window[WINDOW])
{
    int taken = count < WINDOW ? (int)count : WINDOW;
    for (int i = 0; i < taken; i++)
        window[i] = (struct chord_note){notes[i].pitch, notes[i].time, notes[i].time + notes[i].duration};
    return taken;
}

int add_chord_events(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_track *track, struct score_events *events,
                     struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    const struct grid_note *notes = score->notes + track->first_note;
    const struct grid_section *section = score->sections, *sections_end = section + score->section_count;
    double per_beat = steps_per_first_beat(&config->beat_res);
    int32_t previous = -1;
    for (size_t at = 0; at < track->note_count;) {
        if (notes[at].time == previous) {
            at++;
            continue;
        }
        section = grid_section_at(section, sections_end, notes[at].time);
        int32_t half = section->beat / 2;
        struct chord_note window[WINDOW] = {0};
        int count = window_of(notes + at, track->note_count - at, window), ambiguous = 0;
        count = keep_starting(window, count, window[0].start + section->beat / per_beat);
        int32_t latest = window[0].start;
        for (int i = 0; i < count; i++)
            ambiguous |= abs(window[i].end - window[0].end) > half;
        int gathered = count;
        if (ambiguous) {
            at += (size_t)gathered;
            continue;
        }
        if (window[0].end - window[0].start <= half)
            count = keep_starting(window, count, window[0].start);
        for (int i = 0; i < count; i++)
            latest = window[i].start > latest ? window[i].start : latest;
        int onset_notes = count;
        struct chord_note chord[WINDOW];
        memcpy(chord, window, sizeof chord);
        count = keep_ending(chord, count, window[0].end + half);
        if (count >= 3 && count <= 5 && chord[count - 1].pitch - chord[0].pitch <= 24) {
            int32_t value = chord_value(config, chord, count, notes[at].pitch), start = chord[0].start;
            for (int i = 1; i < count; i++)
                start = chord[i].start < start ? chord[i].start : start;
            if (value >= 0 && score_events_add(events,
                                               (struct score_event){.time = start, .kind = EVENT_CHORD, .program = track->value, .length = LENGTH_NONE,
                                                                    .id = vocabulary_id(&tokenizer->vocabulary, TOKEN_CHORD, value)},
                                               why) < 0)
                return -1;
        }
        previous = latest;
        at += (size_t)onset_notes;
    }
    return 0;
}
