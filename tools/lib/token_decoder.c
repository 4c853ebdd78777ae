#include "token_decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoding.h"
#include "grow.h"

#define DEFAULT_TEMPO 120
#define DEFAULT_BEATS 4
#define AMT_TICKS_PER_QUARTER 480

struct token_decoder { struct decoding decoding; };

/* The tempo of the vocabulary that is nearest to 120, the first of two. */
static double default_tempo(const struct decoding *d)
{
    if (!d->config->use_tempos || d->config->tokenization == AMT)
        return DEFAULT_TEMPO;
    double nearest = d->vocabulary->tempos[0];
    for (int32_t i = 1; i < d->config->num_tempos; i++)
        if (fabs(d->vocabulary->tempos[i] - DEFAULT_TEMPO) < fabs(nearest - DEFAULT_TEMPO))
            nearest = d->vocabulary->tempos[i];
    return nearest;
}

static int ticks_per_quarter(const struct decoding *d)
{
    if (d->config->tokenization == AMT)
        return AMT_TICKS_PER_QUARTER;
    if (d->config->tokenization == PER_TOK)
        return d->config->ticks_per_quarter;
    return (int)decoding_ticks_per_beat(d, 4);
}

struct token_decoder *token_decoder_open(const struct tokenizer *tokenizer)
{
    struct token_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    struct decoding *d = &decoder->decoding;
    d->config = &tokenizer->config;
    d->vocabulary = &tokenizer->vocabulary;
    d->one_stream = config_one_stream(d->config);
    d->default_tempo = default_tempo(d);
    d->ticks_per_quarter = ticks_per_quarter(d);
    return decoder;
}

void token_decoder_close(struct token_decoder *decoder)
{
    if (!decoder)
        return;
    free(decoder->decoding.tokens);
    sounding_notes_free(&decoder->decoding.sounding);
    free(decoder);
}

static size_t width(const struct decoding *d)
{
    return d->config->tokenization == AMT ? 1 : (size_t)d->vocabulary->column_count;
}

/* MuMIDI: without Velocity and Duration, the last columns. */
static size_t least_width(const struct decoding *d)
{
    const struct tokenizer_config *config = d->config;
    return config->tokenization == MU_MIDI ? width(d) - config->use_velocities - (config->use_note_duration_programs.count > 0) : width(d);
}

size_t token_decoder_width(const struct token_decoder *decoder)
{
    return width(&decoder->decoding);
}

size_t token_decoder_least_width(const struct token_decoder *decoder)
{
    return least_width(&decoder->decoding);
}

/* ---- what the tokenizations share ---- */

int decoding_read(struct decoding *d, const struct token_rows *rows, struct reason *why)
{
    size_t columns = (size_t)d->vocabulary->column_count, least = least_width(d);
    if (GROW(d->tokens, d->token_capacity, rows->count * columns, why) < 0)
        return -1;
    for (size_t i = 0; i < rows->count * columns; i++) {
        int column = (int)(i % columns);
        if (rows->ids[i] == TOKEN_NONE && column >= (int)least) {
            d->tokens[i] = (struct token){TOKEN_IGNORE, 0};
            continue;
        }
        d->tokens[i] = vocabulary_token(d->vocabulary, column, rows->ids[i]);
        if (d->tokens[i].type == TOKEN_TYPES)
            return fail(why, "token %zu: the id %d: the vocabulary has %zu", i / columns, rows->ids[i], d->vocabulary->columns[column].count);
    }
    return 0;
}

int decoding_track(struct decoding *d, int program, size_t *track, struct reason *why)
{
    size_t *known = &d->track_of[program + 1];
    if (!*known) {
        if (song_add_track(d->song, program == DRUMS ? 0 : program, program == DRUMS, track, why) < 0)
            return -1;
        *known = 1 + *track;
    }
    *track = *known - 1;
    return 0;
}

int decoding_new_track(struct decoding *d, size_t sequence, int program, size_t *track, struct reason *why)
{
    if (d->programs && sequence < d->program_count)
        return song_add_track(d->song, d->programs[sequence].program, d->programs[sequence].is_drum, track, why);
    return song_add_track(d->song, program == DRUMS ? 0 : program, program == DRUMS, track, why);
}

int decoding_program(const struct decoding *d, size_t track)
{
    return d->song->tracks[track].is_drum ? DRUMS : d->song->tracks[track].program;
}

void decoding_drop_silent(struct decoding *d, size_t index)
{
    const struct song_track *track = &d->song->tracks[index];
    if (track->note_count == 0 && track->control_count == 0 && track->bend_count == 0)
        song_drop_track(d->song);
}

int64_t decoding_ticks_per_beat(const struct decoding *d, int denominator)
{
    return (int64_t)config_positions_per_beat(d->config) * (d->vocabulary->denominator_most / denominator);
}

int64_t decoding_ticks_per_bar(const struct decoding *d, int numerator, int denominator)
{
    return (int64_t)d->ticks_per_quarter * 4 / denominator * numerator;
}

int64_t decoding_default_duration(const struct decoding *d, int64_t ticks_per_beat)
{
    double ticks = d->config->default_note_duration * (double)ticks_per_beat;
    return ticks >= 0 && ticks < SONG_LAST_TICK ? (int64_t)ticks : ticks < 0 ? 0 : SONG_LAST_TICK;
}

struct config_time_signature decoding_time_signature(const struct decoding *d, int32_t value)
{
    return d->vocabulary->time_signatures[value];
}

int32_t decoding_tick(int64_t tick)
{
    return tick < 0 ? 0 : tick > INT32_MAX ? INT32_MAX : (int32_t)tick;
}

int decoding_add_note(struct decoding *d, size_t track, int64_t time, int64_t duration, int pitch, int velocity, struct reason *why)
{
    struct song_note note = {decoding_tick(time), decoding_tick(duration), (uint8_t)pitch, (uint8_t)velocity};
    return song_add_note(d->song, track, note, why);
}

/* ---- the piece ---- */

static int decode_sequence(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why)
{
    switch (d->config->tokenization) {
    case MMM: return decode_mmm(d, rows, why);
    case STRUCTURED: return decode_structured(d, rows, sequence, why);
    case CP_WORD: return decode_cp_word(d, rows, sequence, why);
    case OCTUPLE: return decode_octuple(d, rows, sequence, why);
    case MU_MIDI: return decode_mu_midi(d, rows, why);
    case AMT: return decode_amt(d, rows, why);
    default: return decode_stream(d, rows, sequence, why);
    }
}

/* Tempo and time signature at the beginning. */
static int begin_song(struct decoding *d, struct reason *why)
{
    struct song *song = d->song;
    if (song->tempo_count == 0 || song->tempos[0].time != 0) {
        if (song_add_tempo(song, (struct song_tempo){0, 0}, why) < 0)
            return -1;
        memmove(song->tempos + 1, song->tempos, (song->tempo_count - 1) * sizeof *song->tempos);
        song->tempos[0] = (struct song_tempo){0, d->default_tempo};
    }
    if (song->time_signature_count == 0 || song->time_signatures[0].time != 0) {
        if (song_add_time_signature(song, (struct song_time_signature){0, DEFAULT_BEATS, DEFAULT_BEATS}, why) < 0)
            return -1;
        memmove(song->time_signatures + 1, song->time_signatures, (song->time_signature_count - 1) * sizeof *song->time_signatures);
        song->time_signatures[0] = (struct song_time_signature){0, DEFAULT_BEATS, DEFAULT_BEATS};
    }
    return 0;
}

int token_decode(struct token_decoder *decoder, const struct token_rows *rows, size_t count, const struct token_program *programs, size_t program_count,
                 struct song *song, struct reason *why)
{
    struct decoding *d = &decoder->decoding;
    song_clear(song);
    song->ticks_per_quarter = d->ticks_per_quarter;
    d->song = song;
    d->programs = programs;
    d->program_count = program_count;
    memset(d->track_of, 0, sizeof d->track_of);
    for (size_t i = 0; i < count; i++)
        if (decode_sequence(d, &rows[i], i, why) < 0)
            return -1;
    return begin_song(d, why);
}
