/* Rows of several tokens: CPWord, Octuple, MuMIDI. */
#include <math.h>

#include "decoding.h"

#define NO_TEMPO (-1.0)

/* The time signature that holds, and what follows from it; in ticks. */
struct meter { int numerator, denominator; int64_t per_beat, per_bar, per_position; };

static struct meter meter_of(const struct decoding *d, int numerator, int denominator)
{
    int64_t per_beat = decoding_ticks_per_beat(d, denominator);
    return (struct meter){numerator, denominator, per_beat, decoding_ticks_per_bar(d, numerator, denominator), per_beat / config_positions_per_beat(d->config)};
}

/* The row's token of a type that has a column of its own; its type is TOKEN_TYPES where something else stands there. */
static struct token of_type(const struct decoding *d, const struct token *row, enum token_type type)
{
    struct token none = {TOKEN_TYPES, 0}, token = d->vocabulary->of[type].count > 0 ? row[d->vocabulary->of[type].column] : none;
    return token.type == type ? token : none;
}

static int is_pitch(struct token token)
{
    return token.type == TOKEN_PITCH || token.type == TOKEN_PITCH_DRUM;
}

/* Velocity and duration of a row; 0 if one of them is missing. */
static int velocity_and_duration(const struct decoding *d, const struct token *row, int64_t per_beat, int *velocity, int64_t *duration)
{
    *velocity = DEFAULT_VELOCITY;
    *duration = decoding_default_duration(d, per_beat);
    if (d->config->use_velocities) {
        struct token token = of_type(d, row, TOKEN_VELOCITY);
        if (token.type == TOKEN_TYPES)
            return 0;
        *velocity = d->vocabulary->velocities[token.value];
    }
    if (d->config->use_note_duration_programs.count > 0) {
        struct token token = of_type(d, row, TOKEN_DURATION);
        if (token.type == TOKEN_TYPES)
            return 0;
        *duration = beat_time_ticks(d->vocabulary->durations[token.value], (int32_t)per_beat);
    }
    return 1;
}

/* The track of a row's note; 0, -1 with `why`, or 1: the row has no program. `own`: the sequence's track, where it has one. */
static int row_track(struct decoding *d, const struct token *row, size_t own, size_t *track, struct reason *why)
{
    struct token token = of_type(d, row, TOKEN_PROGRAM);
    if (d->config->use_programs && token.type == TOKEN_TYPES)
        return 1;
    *track = own;
    return d->one_stream ? decoding_track(d, token.value, track, why) : 0;
}

static int begin_own_track(struct decoding *d, const struct token_rows *rows, size_t sequence, size_t *track, struct reason *why)
{
    int program = 0;
    if (d->one_stream)
        return 0;
    for (size_t i = 0; i < rows->count && d->config->use_programs; i++) {
        struct token token = of_type(d, d->tokens + i * (size_t)d->vocabulary->column_count, TOKEN_PROGRAM);
        if (token.type == TOKEN_PROGRAM) {
            program = token.value;
            break;
        }
    }
    return decoding_new_track(d, sequence, program, track, why);
}

static int add_time_signature(struct decoding *d, int64_t tick, const struct meter *meter, struct reason *why)
{
    return song_add_time_signature(d->song, (struct song_time_signature){decoding_tick(tick), meter->numerator, meter->denominator}, why);
}

/* As a file will give it back: tempos are whole microseconds there. */
static double tempo_to_hundredths(double tempo)
{
    return round(60e6 / round(60e6 / tempo) * 100) / 100;
}

/* A tempo that is not the one before. `elsewhere`: only if it does not stand at that one's time. */
static int change_tempo(struct decoding *d, const struct token *row, int64_t tick, int elsewhere, struct reason *why)
{
    struct token token = of_type(d, row, TOKEN_TEMPO);
    if (token.type == TOKEN_TYPES)
        return 0;
    double tempo = d->vocabulary->tempos[token.value];
    const struct song *song = d->song;
    const struct song_tempo *last = song->tempo_count > 0 ? &song->tempos[song->tempo_count - 1] : NULL;
    if (last && (tempo == tempo_to_hundredths(last->quarters_a_minute) || (elsewhere && last->time == tick)))
        return 0;
    return song_add_tempo(d->song, (struct song_tempo){decoding_tick(tick), tempo}, why);
}

/* CPWord and Octuple: a first tempo later than the beginning is the default one's end, unless it is that one. */
static void begin_tempo(struct decoding *d)
{
    struct song *song = d->song;
    if (song->tempo_count > 0 && tempo_to_hundredths(song->tempos[0].quarters_a_minute) == d->default_tempo)
        song->tempos[0].time = 0;
}

static int too_late(int64_t tick, size_t row, struct reason *why)
{
    if (tick <= SONG_LAST_TICK && tick >= -SONG_LAST_TICK)
        return 0;
    return fail(why, "token %zu: a time beyond what a MIDI file can hold (%d ticks)", row, SONG_LAST_TICK);
}

/* ---- CPWord ---- */

struct cp_word { struct decoding *d; size_t sequence, track; struct meter meter; int64_t tick, bar_tick, signature_tick, bar, signature_bar, note_end; };

enum { CP_METRIC, CP_NOTE };

/* The time signature of the first bar, if no note stands before it. */
static struct config_time_signature cp_first_signature(const struct decoding *d, const struct token_rows *rows)
{
    struct config_time_signature signature = {4, 4};
    for (size_t i = 0; i < rows->count && d->config->use_time_signatures; i++) {
        const struct token *row = d->tokens + i * (size_t)d->vocabulary->column_count;
        if (row[0].type != TOKEN_FAMILY || row[0].value != CP_METRIC)
            break;
        if (row[1].type == TOKEN_BAR) {
            struct token token = of_type(d, row, TOKEN_TIME_SIG);
            return token.type == TOKEN_TYPES ? signature : decoding_time_signature(d, token.value);
        }
    }
    return signature;
}

static int cp_note(struct cp_word *c, const struct token *row, struct reason *why)
{
    int velocity;
    int64_t duration;
    size_t track;
    if (!is_pitch(row[2]) || !velocity_and_duration(c->d, row, c->meter.per_beat, &velocity, &duration))
        return 0;
    int result = row_track(c->d, row, c->track, &track, why);
    if (result != 0)
        return result < 0 ? -1 : 0;
    if (c->tick + duration > c->note_end)
        c->note_end = c->tick + duration;
    return decoding_add_note(c->d, track, c->tick, duration, row[2].value, velocity, why);
}

static int cp_bar(struct cp_word *c, const struct token *row, struct reason *why)
{
    if (++c->bar > 0)
        c->tick = c->bar_tick + c->meter.per_bar;
    c->bar_tick = c->tick;
    struct token token = of_type(c->d, row, TOKEN_TIME_SIG);
    if (token.type == TOKEN_TYPES)
        return 0;
    struct config_time_signature signature = decoding_time_signature(c->d, token.value);
    if (signature.numerator == c->meter.numerator && signature.denominator == c->meter.denominator)
        return 0;
    c->meter = meter_of(c->d, signature.numerator, signature.denominator);
    c->signature_tick = c->bar_tick;
    c->signature_bar = c->bar;
    return c->sequence == 0 ? add_time_signature(c->d, c->tick, &c->meter, why) : 0;
}

static void cp_rest(struct cp_word *c, const struct token *row)
{
    struct token token = of_type(c->d, row, TOKEN_REST);
    if (token.type == TOKEN_TYPES)
        return;
    if (c->note_end > c->tick)
        c->tick = c->note_end;
    c->tick += beat_time_ticks(c->d->vocabulary->rests[token.value], (int32_t)c->meter.per_beat);
    int64_t bar = c->signature_bar + (c->tick - c->signature_tick) / c->meter.per_bar;
    if (bar > c->bar) {
        if (c->bar == -1)
            c->bar = 0;
        c->bar_tick += (bar - c->bar) * c->meter.per_bar;
        c->bar = bar;
    }
}

static int cp_metric(struct cp_word *c, const struct token *row, struct reason *why)
{
    if (row[1].type == TOKEN_BAR) {
        if (cp_bar(c, row, why) < 0)
            return -1;
    } else if (row[1].type == TOKEN_POSITION) {
        if (c->bar == -1)
            c->bar = 0;
        c->tick = c->bar_tick + row[1].value * c->meter.per_position;
        if (c->sequence == 0 && c->d->config->use_tempos && change_tempo(c->d, row, c->tick, 1, why) < 0)
            return -1;
    } else if (c->d->config->use_rests) {
        cp_rest(c, row);
    }
    if (c->note_end < c->tick)
        c->note_end = c->tick;
    return 0;
}

int decode_cp_word(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why)
{
    struct cp_word c = {.d = d, .sequence = sequence, .bar = -1};
    if (decoding_read(d, rows, why) < 0 || begin_own_track(d, rows, sequence, &c.track, why) < 0)
        return -1;
    if (sequence == 0) {
        struct config_time_signature first = cp_first_signature(d, rows);
        if (song_add_time_signature(d->song, (struct song_time_signature){0, first.numerator, first.denominator}, why) < 0)
            return -1;
    }
    c.meter = meter_of(d, d->song->time_signatures[0].numerator, d->song->time_signatures[0].denominator);
    for (size_t i = 0; i < rows->count; i++) {
        const struct token *row = d->tokens + i * (size_t)d->vocabulary->column_count;
        if (row[0].type != TOKEN_FAMILY)
            continue;
        if ((row[0].value == CP_NOTE ? cp_note(&c, row, why) : cp_metric(&c, row, why)) < 0 || too_late(c.tick, i, why) < 0)
            return -1;
    }
    if (sequence == 0)
        begin_tempo(d);
    if (!d->one_stream)
        decoding_drop_silent(d, c.track);
    return 0;
}

/* ---- Octuple ---- */

struct octuple { struct decoding *d; size_t sequence, track; struct meter meter; int64_t signature_tick, signature_bar; };

static int octuple_signature(struct octuple *o, const struct token *row, int64_t bar, struct reason *why)
{
    struct token token = of_type(o->d, row, TOKEN_TIME_SIG);
    if (token.type == TOKEN_TYPES)
        return 0;
    struct config_time_signature signature = decoding_time_signature(o->d, token.value);
    if (signature.numerator == o->meter.numerator && signature.denominator == o->meter.denominator)
        return 0;
    o->signature_tick += (bar - o->signature_bar) * o->meter.per_bar;
    o->signature_bar = bar;
    o->meter = meter_of(o->d, signature.numerator, signature.denominator);
    return o->sequence == 0 ? add_time_signature(o->d, o->signature_tick, &o->meter, why) : 0;
}

static int octuple_row(struct octuple *o, const struct token *row, size_t at, struct reason *why)
{
    int velocity;
    int64_t duration;
    size_t track;
    if (!is_pitch(row[0]) || row[1].type != TOKEN_POSITION || row[2].type != TOKEN_BAR ||
        !velocity_and_duration(o->d, row, o->meter.per_beat, &velocity, &duration) || (o->d->config->use_programs && of_type(o->d, row, TOKEN_PROGRAM).type == TOKEN_TYPES))
        return 0;
    int64_t bar = row[2].value;
    if (octuple_signature(o, row, bar, why) < 0 || too_late(o->signature_tick, at, why) < 0 || row_track(o->d, row, o->track, &track, why) < 0)
        return -1;
    velocity_and_duration(o->d, row, o->meter.per_beat, &velocity, &duration); /* of the time signature as it is now */
    int64_t tick = o->signature_tick + (bar - o->signature_bar) * o->meter.per_bar + row[1].value * o->meter.per_position;
    if (decoding_add_note(o->d, track, tick, duration, row[0].value, velocity, why) < 0)
        return -1;
    return o->sequence == 0 && o->d->config->use_tempos ? change_tempo(o->d, row, tick, 0, why) : 0;
}

int decode_octuple(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why)
{
    struct octuple o = {.d = d, .sequence = sequence};
    if (decoding_read(d, rows, why) < 0 || begin_own_track(d, rows, sequence, &o.track, why) < 0)
        return -1;
    struct token first = rows->count > 0 ? of_type(d, d->tokens, TOKEN_TIME_SIG) : (struct token){TOKEN_TYPES, 0};
    struct config_time_signature signature = first.type == TOKEN_TYPES ? (struct config_time_signature){4, 4} : decoding_time_signature(d, first.value);
    o.meter = meter_of(d, signature.numerator, signature.denominator);
    if (sequence == 0 && add_time_signature(d, 0, &o.meter, why) < 0)
        return -1;
    for (size_t i = 0; i < rows->count; i++)
        if (octuple_row(&o, d->tokens + i * (size_t)d->vocabulary->column_count, i, why) < 0)
            return -1;
    if (sequence == 0)
        begin_tempo(d);
    if (!d->one_stream)
        decoding_drop_silent(d, o.track);
    return 0;
}

/* ---- MuMIDI ---- */

static int mu_midi_note(struct decoding *d, const struct token *row, int program, int64_t tick, struct reason *why)
{
    int velocity;
    int64_t duration;
    size_t track;
    if (!velocity_and_duration(d, row, d->ticks_per_quarter, &velocity, &duration))
        return 0;
    if (decoding_track(d, program, &track, why) < 0)
        return -1;
    return decoding_add_note(d, track, tick, duration, row[0].value, velocity, why);
}

int decode_mu_midi(struct decoding *d, const struct token_rows *rows, struct reason *why)
{
    int64_t tick = 0, bar = -1, per_bar = 4 * (int64_t)d->ticks_per_quarter;
    int program = 0;
    size_t track;
    if (decoding_read(d, rows, why) < 0)
        return -1;
    for (size_t i = 0; i < rows->count; i++) {
        const struct token *row = d->tokens + i * (size_t)d->vocabulary->column_count;
        /* (The first row's tempo is that of the beginning, wherever the row stands.) */
        if (i == 0 && d->config->use_tempos && change_tempo(d, row, 0, 0, why) < 0)
            return -1;
        if (row[0].type == TOKEN_BAR) {
            tick = ++bar * per_bar;
        } else if (row[0].type == TOKEN_POSITION) {
            if (bar == -1)
                bar = 0;
            tick = bar * per_bar + row[0].value;
        } else if (row[0].type == TOKEN_PROGRAM) {
            program = row[0].value;
            if (decoding_track(d, program, &track, why) < 0)
                return -1;
        } else if (is_pitch(row[0]) && mu_midi_note(d, row, program, tick, why) < 0) {
            return -1;
        }
        if (too_late(tick, i, why) < 0 || (d->config->use_tempos && change_tempo(d, row, tick, 0, why) < 0))
            return -1;
    }
    return 0;
}
