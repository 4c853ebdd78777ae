/* Structured: TimeShift, Pitch, Velocity, Duration, always in that order. */
#include "decoding.h"

/* `track`: of the sequence, where it has one of its own. */
static int note(struct decoding *d, const struct token_rows *rows, size_t at, int64_t tick, int program, size_t track, struct reason *why)
{
    int has_durations = config_has_program(&d->config->use_note_duration_programs, program);
    int velocity = DEFAULT_VELOCITY;
    int64_t per_beat = d->ticks_per_quarter, duration = decoding_default_duration(d, per_beat);
    size_t next = at + 1;
    if (d->config->use_velocities) {
        if (next >= rows->count || d->tokens[next].type != TOKEN_VELOCITY)
            return 0;
        velocity = d->vocabulary->velocities[d->tokens[next++].value];
    }
    if (has_durations) {
        if (next >= rows->count || d->tokens[next].type != TOKEN_DURATION)
            return 0;
        duration = beat_time_ticks(d->vocabulary->durations[d->tokens[next].value], (int32_t)per_beat);
    }
    if (d->one_stream && decoding_track(d, program, &track, why) < 0)
        return -1;
    return decoding_add_note(d, track, tick, duration, d->tokens[at].value, velocity, why);
}

/* The program of a sequence of its own: the first that it names. */
static int first_program(const struct decoding *d, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (d->tokens[i].type == TOKEN_PROGRAM)
            return d->tokens[i].value;
    return 0;
}

int decode_structured(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why)
{
    size_t own = 0;
    int64_t tick = 0;
    int program = 0;
    if (decoding_read(d, rows, why) < 0)
        return -1;
    if (!d->one_stream) {
        if (decoding_new_track(d, sequence, first_program(d, rows->count), &own, why) < 0)
            return -1;
        program = decoding_program(d, own);
    }
    for (size_t at = 0; at < rows->count; at++) {
        struct token token = d->tokens[at];
        if (token.type == TOKEN_TIME_SHIFT && token.value != SHIFT_NONE) {
            tick += beat_time_ticks(d->vocabulary->durations[token.value], d->ticks_per_quarter);
            if (tick > SONG_LAST_TICK)
                return fail(why, "token %zu: a time beyond what a MIDI file can hold (%d ticks)", at, SONG_LAST_TICK);
        } else if (token.type == TOKEN_PROGRAM) {
            program = token.value;
        } else if (token.type == TOKEN_PITCH || token.type == TOKEN_PITCH_DRUM) {
            if (note(d, rows, at, tick, program, own, why) < 0)
                return -1;
        }
    }
    if (!d->one_stream)
        decoding_drop_silent(d, own);
    return 0;
}
