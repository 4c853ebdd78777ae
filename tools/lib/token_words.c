#include "token_words.h"

#include <stdlib.h>

#include "grid_parts.h"
#include "grow.h"

#define NEVER INT64_MAX

/* The bars or beats of a score: stretches of one length, each up to the next one's start, the last up to `last`. */
struct measure { const struct grid_score *score; int by_beat; int64_t last; };

static int32_t length_of(const struct measure *measure, size_t section)
{
    const struct grid_score *score = measure->score;
    if (score->time_signature_count == 0)
        return measure->by_beat ? score->quarter : 4 * score->quarter;
    return measure->by_beat ? score->time_signatures[section].beat : score->time_signatures[section].bar;
}

/* The first bar that begins behind `time`, the piece's first one left out. *section: where to look from, it only moves on. */
static int64_t next_start(const struct measure *measure, int64_t time, size_t *section)
{
    const struct grid_score *score = measure->score;
    size_t sections = score->time_signature_count > 0 ? score->time_signature_count : 1;
    for (;; ++*section) {
        int64_t begin = score->time_signature_count > 0 ? score->time_signatures[*section].time : 0, length = length_of(measure, *section);
        int64_t end = *section + 1 < sections ? score->time_signatures[*section + 1].time : measure->last + 1;
        int64_t next = time < begin ? begin : length > 0 ? begin + ((time - begin) / length + 1) * length : NEVER;
        if (next < end)
            return next;
        if (*section + 1 == sections)
            return NEVER;
    }
}

/* ---- the last start of anything ---- */

static int64_t on_grid(const struct midi_file *file, const struct grid_score *score, int32_t time)
{
    if (file->ticks_per_quarter == score->quarter)
        return time;
    return (int64_t)(time * (score->quarter / file->ticks_per_quarter) + 0.5);
}

static void at_least(int64_t *last, int64_t time)
{
    if (time > *last)
        *last = time;
}

/* Whether MidiTok keeps the track that this part is. */
static int is_kept(const struct grid_part *part, const struct tokenizer_config *config)
{
    if (config->use_programs && !config_has_program(&config->programs, part->is_drum ? GRID_DRUMS : part->program))
        return 0;
    return part->count > 0 || (config->use_sustain_pedals && part->pedal_count > 0) || (config->use_pitch_bends && part->bend_count > 0) ||
           (config->use_control_changes && part->control_count > 0);
}

/* Controls and pitch bends that the tokenizer does not use are still in MidiTok's score, if their track is. */
static void unused_controls(const struct midi_file *file, const struct grid_score *score, const struct tokenizer_config *config, int64_t *last)
{
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        if (!is_kept(&score->parts[score->part_of[t]], config))
            continue;
        if (!config->use_control_changes && track->control_count > 0)
            at_least(last, on_grid(file, score, file->controls[track->first_control + track->control_count - 1].time));
        if (!config->use_pitch_bends && track->pitch_bend_count > 0)
            at_least(last, on_grid(file, score, file->pitch_bends[track->first_pitch_bend + track->pitch_bend_count - 1].time));
    }
}

static int64_t last_start(const struct midi_file *file, const struct grid_score *score, const struct tokenizer_config *config)
{
    int64_t last = 0;
    for (size_t i = 0; i < score->track_count; i++) {
        const struct grid_track *track = &score->tracks[i];
        if (track->note_count > 0)
            at_least(&last, score->notes[track->first_note + track->note_count - 1].time);
        if (track->bend_count > 0)
            at_least(&last, score->bends[track->first_bend + track->bend_count - 1].time);
        if (track->control_count > 0)
            at_least(&last, score->controls[track->first_control + track->control_count - 1].time);
    }
    if (score->time_signature_count > 0)
        at_least(&last, score->time_signatures[score->time_signature_count - 1].time);
    unused_controls(file, score, config, &last);
    /* So are tempos, keys and markers. */
    if (config->use_tempos && score->tempo_count > 0)
        at_least(&last, score->tempos[score->tempo_count - 1].time);
    else if (!config->use_tempos && file->tempo_count > 0)
        at_least(&last, on_grid(file, score, file->tempos[file->tempo_count - 1].time));
    if (config->use_key_signatures && score->key_count > 0)
        at_least(&last, score->keys[score->key_count - 1].time);
    else if (!config->use_key_signatures && file->key_signature_count > 0)
        at_least(&last, on_grid(file, score, file->key_signatures[file->key_signature_count - 1].time));
    for (size_t i = 0; i < file->text_count; i++)
        if (file->texts[i].kind == MIDI_MARKER)
            at_least(&last, on_grid(file, score, file->texts[i].time));
    return last;
}

/* ---- the words ---- */

static int end_word(struct token_words *words, size_t end, struct reason *why)
{
    if (words->count > 0 ? words->ends[words->count - 1] == end : end == 0)
        return 0;
    if (GROW(words->ends, words->capacity, words->count + 1, why) < 0)
        return -1;
    words->ends[words->count++] = end;
    return 0;
}

static int cut(struct token_words *words, const struct measure *measure, const int32_t *times, size_t begin, size_t end, struct reason *why)
{
    size_t section = 0;
    int64_t next = measure ? next_start(measure, 0, &section) : NEVER;
    for (size_t i = begin; i < end; i++) {
        if (times[i] < next)
            continue;
        if (i > begin && end_word(words, i, why) < 0)
            return -1;
        next = next_start(measure, times[i], &section);
    }
    return end_word(words, end, why);
}

int token_words_find(struct token_words *words, const struct tokenizer *tokenizer, const struct midi_file *file, const struct grid_score *score,
                     const int32_t *ids, const int32_t *times, size_t count, struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    words->count = 0;
    if (config->encode_ids_split == SPLIT_NO)
        return cut(words, NULL, times, 0, count, why);
    struct measure measure = {score, config->encode_ids_split == SPLIT_BEAT, last_start(file, score, config)};
    int32_t track_start = config->tokenization == MMM ? vocabulary_find(&tokenizer->vocabulary, 0, "Track_Start") : -1;
    size_t begin = 0;
    for (size_t i = 1; i < count && config->tokenization == MMM; i++)
        if (ids[i] == track_start) {
            if (cut(words, &measure, times, begin, i, why) < 0)
                return -1;
            begin = i;
        }
    return cut(words, &measure, times, begin, count, why);
}

void token_words_free(struct token_words *words)
{
    free(words->ends);
    *words = (struct token_words){0};
}
