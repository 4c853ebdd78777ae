/* Streams of single tokens: REMI, TSD, MIDILike, PerTok, and MMM, which is tracks of one of the first three behind each other. */
#include <string.h>

#include "decoding.h"
#include "sounding_notes.h"

#define NO_PITCH (-128) /* before the first note of a program, for intervals */

/* A sequence while it is read. Times are in ticks. */
struct stream {
    struct decoding *d;
    enum tokenization kind; /* MMM's is that of its tracks */
    const struct token *tokens;
    size_t count, at, sequence;
    int own_track;          /* the sequence is a track; else the programs' tracks */
    size_t track;
    int program, has_durations;
    int previous_onset[PROGRAMS], previous_chord[PROGRAMS];
    int64_t pedal_down[PROGRAMS]; /* -1: the pedal is up */

    int64_t tick, note_end, bar_tick, signature_tick, bar, signature_bar;
    int64_t per_beat, per_bar, per_position;
    double bar_length; /* PerTok's, which is not always whole */
    int numerator, denominator;
};

static int program_has_durations(const struct decoding *d, int program)
{
    return config_has_program(&d->config->use_note_duration_programs, program);
}

/* ---- time ---- */

static void set_time_signature(struct stream *s, int numerator, int denominator)
{
    s->numerator = numerator;
    s->denominator = denominator;
    s->per_beat = decoding_ticks_per_beat(s->d, denominator);
    s->per_bar = decoding_ticks_per_bar(s->d, numerator, denominator);
    s->per_position = s->per_beat / config_positions_per_beat(s->d->config);
}

/* REMI: the time signature at the beginning is the first one before any note. */
static int first_time_signature(struct stream *s, struct reason *why)
{
    struct config_time_signature first = {4, 4};
    for (size_t i = 0; i < s->count && s->d->config->use_time_signatures; i++) {
        enum token_type type = s->tokens[i].type;
        if (type == TOKEN_TIME_SIG) {
            first = decoding_time_signature(s->d, s->tokens[i].value);
            break;
        }
        if (type == TOKEN_PITCH || type == TOKEN_PITCH_DRUM || type == TOKEN_VELOCITY || type == TOKEN_DURATION || type == TOKEN_PITCH_BEND ||
            type == TOKEN_CONTROL_CHANGE || type == TOKEN_PEDAL)
            break;
    }
    return song_add_time_signature(s->d->song, (struct song_time_signature){0, first.numerator, first.denominator}, why);
}

static void new_bar(struct stream *s, int32_t value)
{
    if (value == BAR_END)
        return;
    s->bar++;
    if (s->kind == PER_TOK) {
        s->tick = s->bar_tick = (int64_t)(s->bar_length * (double)s->bar);
        return;
    }
    if (s->bar > 0)
        s->tick = s->bar_tick + s->per_bar;
    s->bar_tick = s->tick;
}

static void rest(struct stream *s, int32_t value)
{
    if (s->kind != MIDI_LIKE && s->note_end > s->tick)
        s->tick = s->note_end;
    s->tick += beat_time_ticks(s->d->vocabulary->rests[value], (int32_t)s->per_beat);
    if (s->kind != REMI)
        return;
    int64_t bar = s->signature_bar + (s->tick - s->signature_tick) / s->per_bar;
    if (bar > s->bar) {
        if (s->bar == -1)
            s->bar = 0;
        s->bar_tick += (bar - s->bar) * s->per_bar;
        s->bar = bar;
    }
}

static void position(struct stream *s, int32_t value)
{
    if (s->kind == PER_TOK) {
        s->tick = s->bar_tick + value;
        return;
    }
    if (s->bar == -1)
        s->bar = 0;
    s->tick = s->bar_tick + value * s->per_position;
}

static int64_t span_ticks(const struct stream *s, int32_t value)
{
    struct beat_time time = s->d->vocabulary->durations[value];
    return s->kind == PER_TOK ? (int64_t)time.beats * time.resolution + time.steps : beat_time_ticks(time, (int32_t)s->per_beat);
}

static int time_signature(struct stream *s, int32_t value, struct reason *why)
{
    struct config_time_signature signature = decoding_time_signature(s->d, value);
    int remi = s->kind == REMI, changes = signature.numerator != s->numerator || signature.denominator != s->denominator;
    if (remi && !changes)
        return 0;
    if (s->sequence == 0 &&
        song_add_time_signature(s->d->song, (struct song_time_signature){decoding_tick(s->tick), signature.numerator, signature.denominator}, why) < 0)
        return -1;
    s->signature_tick = s->bar_tick;
    s->signature_bar = s->bar;
    if (s->kind == PER_TOK)
        s->bar_length = signature.denominator / 4.0 * signature.numerator * (double)s->per_beat;
    else
        set_time_signature(s, signature.numerator, signature.denominator);
    return 0;
}

/* ---- tracks ---- */

static int track_of(struct stream *s, int program, size_t *track, struct reason *why)
{
    *track = s->track;
    return s->own_track ? 0 : decoding_track(s->d, program, track, why);
}

/* The program of a sequence of its own: the first that it names. */
static int begin_track(struct stream *s, struct reason *why)
{
    int program = 0;
    for (size_t i = 0; i < s->count && s->d->config->use_programs; i++)
        if (s->tokens[i].type == TOKEN_PROGRAM) {
            program = s->tokens[i].value;
            break;
        }
    if (decoding_new_track(s->d, s->sequence, program, &s->track, why) < 0)
        return -1;
    s->program = decoding_program(s->d, s->track);
    return 0;
}

static void set_program(struct stream *s, int program)
{
    s->program = program;
    s->has_durations = program_has_durations(s->d, program);
    if (s->own_track && s->d->config->program_changes) {
        struct song_track *track = &s->d->song->tracks[s->track];
        track->program = program == DRUMS ? 0 : program;
        track->is_drum |= program == DRUMS;
    }
}

/* ---- notes ---- */

/* The pitch that a token stands for; -1: none that a note can have. */
static int pitch_of(struct stream *s, struct token token)
{
    int pitch = token.value, given = token.type == TOKEN_PITCH_DRUM || token.type == TOKEN_DRUM_ON || token.type == TOKEN_DRUM_OFF;
    if (token.type == TOKEN_PITCH_INTERVAL_TIME)
        pitch += s->previous_onset[s->program + 1];
    if (token.type == TOKEN_PITCH_INTERVAL_CHORD)
        pitch += s->previous_chord[s->program + 1];
    const struct config_span *range = s->program == DRUMS && s->d->config->use_pitchdrum_tokens ? &s->d->config->drums_pitch_range : &s->d->config->pitch_range;
    return pitch < 0 || pitch > 127 || (!given && (pitch < range->first || pitch > range->last)) ? -1 : pitch;
}

static void remember_pitch(struct stream *s, enum token_type type, int pitch)
{
    if (type != TOKEN_PITCH_INTERVAL_CHORD)
        s->previous_onset[s->program + 1] = pitch;
    s->previous_chord[s->program + 1] = pitch;
}

static struct token ahead(const struct stream *s, size_t by)
{
    return s->at + by < s->count ? s->tokens[s->at + by] : (struct token){TOKEN_TYPES, 0};
}

/* Pitch, [MicroTiming,] [Velocity,] [Duration]: a note if they are all there. */
static int note(struct stream *s, struct token token, struct reason *why)
{
    int pitch = pitch_of(s, token), velocity = DEFAULT_VELOCITY;
    if (pitch < 0)
        return 0;
    remember_pitch(s, token.type, pitch);
    const struct tokenizer_config *config = s->d->config;
    int micro = s->kind == PER_TOK && config->use_microtiming;
    int64_t time = s->tick, duration;
    size_t next = 1;
    if (micro && ahead(s, 1).type == TOKEN_MICRO_TIMING)
        time += s->d->vocabulary->microtimings[ahead(s, 1).value];
    else if (micro && ahead(s, 1).type == TOKEN_TYPES)
        return 0;
    next += (size_t)micro;
    if (config->use_velocities) {
        if (ahead(s, next).type != TOKEN_VELOCITY)
            return 0;
        velocity = s->d->vocabulary->velocities[ahead(s, next++).value];
    }
    if (s->has_durations) {
        if (ahead(s, next).type != TOKEN_DURATION)
            return 0;
        duration = span_ticks(s, ahead(s, next).value);
    } else {
        duration = decoding_default_duration(s->d, s->per_beat);
    }
    if (time + duration > s->note_end)
        s->note_end = time + duration;
    size_t track;
    if (track_of(s, s->program, &track, why) < 0)
        return -1;
    return decoding_add_note(s->d, track, time, duration, pitch, velocity, why);
}

/* ---- notes as their starts and ends ---- */

/* The whole number that a token's value is, as MidiTok reads whatever follows a NoteOn as its velocity; -1 if it is none. */
static int number_of(const struct stream *s, struct token token)
{
    const struct vocabulary *vocabulary = s->d->vocabulary;
    switch (token.type) {
    case TOKEN_VELOCITY: return vocabulary->velocities[token.value];
    case TOKEN_PITCH_BEND: return vocabulary->pitch_bends[token.value];
    case TOKEN_NOTE_ON: case TOKEN_NOTE_OFF: case TOKEN_DRUM_ON: case TOKEN_DRUM_OFF: case TOKEN_PITCH_INTERVAL_TIME: case TOKEN_PITCH_INTERVAL_CHORD:
    case TOKEN_PROGRAM: case TOKEN_PEDAL: case TOKEN_PEDAL_OFF: return token.value;
    default: return -1;
    }
}

static int note_on(struct stream *s, struct sounding_notes *notes, struct token token, struct reason *why)
{
    int pitch = pitch_of(s, token), velocity = s->d->config->use_velocities ? number_of(s, ahead(s, 1)) : DEFAULT_VELOCITY;
    if (pitch < 0 || velocity < 1 || velocity > 127)
        return 0;
    remember_pitch(s, token.type, pitch);
    if (s->has_durations)
        return sounding_notes_push(notes, s->program, pitch, velocity, s->tick, why);
    size_t track;
    if (track_of(s, s->program, &track, why) < 0)
        return -1;
    return decoding_add_note(s->d, track, s->tick, decoding_default_duration(s->d, s->per_beat), pitch, velocity, why);
}

/* What a note may last at most; -1: anything. */
static int64_t most_ticks(const struct stream *s)
{
    if (!s->d->config->max_duration.given)
        return -1;
    struct beat_time most = {s->d->config->max_duration.beats, s->d->config->max_duration.steps, s->d->config->max_duration.resolution};
    return beat_time_ticks(most, (int32_t)s->per_beat);
}

static int note_off(struct stream *s, struct sounding_notes *notes, struct token token, struct reason *why)
{
    struct sounding_note note;
    int pitch = pitch_of(s, token);
    if (pitch < 0 || !sounding_notes_pop(notes, s->program, pitch, &note))
        return 0;
    int64_t duration = s->tick - note.time, most = most_ticks(s);
    size_t track;
    if (track_of(s, s->program, &track, why) < 0)
        return -1;
    return decoding_add_note(s->d, track, note.time, most >= 0 && duration > most ? most : duration, pitch, note.velocity, why);
}

/* Notes that never end are dropped, or last as long as a note may. */
static int end_sounding(struct stream *s, struct sounding_notes *notes, struct reason *why)
{
    int64_t most = most_ticks(s);
    for (int program = -1; program < 128 && most >= 0; program++)
        for (int pitch = 0; pitch < 128; pitch++)
            for (struct sounding_note note; sounding_notes_pop(notes, program, pitch, &note);) {
                size_t track;
                if (track_of(s, program, &track, why) < 0 || decoding_add_note(s->d, track, note.time, most, pitch, note.velocity, why) < 0)
                    return -1;
            }
    return 0;
}

/* ---- controls ---- */

static int add_pedal(struct stream *s, int program, int64_t down, int64_t duration, struct reason *why)
{
    size_t track;
    if (track_of(s, program, &track, why) < 0)
        return -1;
    return song_add_pedal(s->d->song, track, (struct song_pedal){decoding_tick(down), decoding_tick(duration)}, why);
}

static int pedal(struct stream *s, struct token token, struct reason *why)
{
    int program = s->d->config->use_programs ? token.value : s->program;
    if (s->d->config->sustain_pedal_duration && s->at + 1 < s->count)
        return ahead(s, 1).type == TOKEN_DURATION ? add_pedal(s, program, s->tick, span_ticks(s, ahead(s, 1).value), why) : 0;
    if (token.type == TOKEN_PEDAL && s->pedal_down[program + 1] < 0)
        s->pedal_down[program + 1] = s->tick;
    return 0;
}

static int pedal_off(struct stream *s, struct token token, struct reason *why)
{
    int program = s->d->config->use_programs ? token.value : s->program;
    int64_t down = s->pedal_down[program + 1];
    s->pedal_down[program + 1] = -1;
    /* (A position may stand before the pedal: such a pedal is none.) */
    return down < 0 || down > s->tick ? 0 : add_pedal(s, program, down, s->tick - down, why);
}

static int pitch_bend(struct stream *s, int32_t value, struct reason *why)
{
    size_t track;
    if (track_of(s, s->program, &track, why) < 0)
        return -1;
    return song_add_bend(s->d->song, track, (struct song_bend){decoding_tick(s->tick), s->d->vocabulary->pitch_bends[value]}, why);
}

static int control_change(struct stream *s, int32_t value, struct reason *why)
{
    size_t track;
    int64_t time = s->tick;
    if (s->kind == PER_TOK && s->d->config->use_microtiming && ahead(s, 1).type == TOKEN_MICRO_TIMING)
        time += s->d->vocabulary->microtimings[ahead(s, 1).value];
    if (track_of(s, s->program, &track, why) < 0)
        return -1;
    struct song_control control = {decoding_tick(time), (uint8_t)(value / 128), (uint8_t)(value % 128)};
    return song_add_control(s->d->song, track, control, why);
}

/* Of the first sequence only: it holds for all. */
static int tempo(struct stream *s, int32_t value, struct reason *why)
{
    if (s->sequence > 0)
        return 0;
    return song_add_tempo(s->d->song, (struct song_tempo){decoding_tick(s->tick), s->d->vocabulary->tempos[value]}, why);
}

static int key_signature(struct stream *s, int32_t value, struct reason *why)
{
    if (s->sequence > 0)
        return 0;
    return song_add_key_signature(s->d->song, (struct song_key_signature){decoding_tick(s->tick), value / 2 - 7, value % 2}, why);
}

/* ---- the sequence ---- */

/* Whether a rest after this token begins no earlier than it. */
static int moves_rest(const struct stream *s, enum token_type type)
{
    if (s->kind == REMI)
        return type == TOKEN_TEMPO || type == TOKEN_KEY_SIG;
    return type == TOKEN_PROGRAM || type == TOKEN_TEMPO || type == TOKEN_TIME_SIG || type == TOKEN_KEY_SIG || type == TOKEN_PEDAL || type == TOKEN_PEDAL_OFF ||
           type == TOKEN_PITCH_BEND || type == TOKEN_CONTROL_CHANGE || type == TOKEN_CHORD;
}

static int decode_token(struct stream *s, struct sounding_notes *notes, struct token token, struct reason *why)
{
    switch (token.type) {
    case TOKEN_BAR: new_bar(s, token.value); return 0;
    case TOKEN_POSITION: position(s, token.value); return 0;
    case TOKEN_TIME_SHIFT: s->tick += span_ticks(s, token.value); return 0;
    case TOKEN_REST: rest(s, token.value); return 0;
    case TOKEN_PITCH: case TOKEN_PITCH_DRUM: return note(s, token, why);
    case TOKEN_PITCH_INTERVAL_TIME: case TOKEN_PITCH_INTERVAL_CHORD: return notes ? note_on(s, notes, token, why) : note(s, token, why);
    case TOKEN_NOTE_ON: case TOKEN_DRUM_ON: return notes ? note_on(s, notes, token, why) : 0;
    case TOKEN_NOTE_OFF: case TOKEN_DRUM_OFF: return notes ? note_off(s, notes, token, why) : 0;
    case TOKEN_PROGRAM: set_program(s, token.value); return 0;
    case TOKEN_TEMPO: return tempo(s, token.value, why);
    case TOKEN_TIME_SIG: return time_signature(s, token.value, why);
    case TOKEN_KEY_SIG: return key_signature(s, token.value, why);
    case TOKEN_PEDAL: return pedal(s, token, why);
    case TOKEN_PEDAL_OFF: return pedal_off(s, token, why);
    case TOKEN_PITCH_BEND: return pitch_bend(s, token.value, why);
    case TOKEN_CONTROL_CHANGE: return control_change(s, token.value, why);
    default: return 0;
    }
}

static int decode_tokens(struct stream *s, struct sounding_notes *notes, struct reason *why)
{
    for (s->at = 0; s->at < s->count; s->at++) {
        enum token_type type = s->tokens[s->at].type;
        if (decode_token(s, notes, s->tokens[s->at], why) < 0)
            return -1;
        if (s->tick > SONG_LAST_TICK)
            return fail(why, "token %zu: a time beyond what a MIDI file can hold (%d ticks)", s->at, SONG_LAST_TICK);
        if (moves_rest(s, type) && s->note_end < s->tick)
            s->note_end = s->tick;
    }
    if (notes && !(s->own_track && s->d->song->tracks[s->track].note_count == 0) && end_sounding(s, notes, why) < 0)
        return -1;
    if (s->own_track)
        decoding_drop_silent(s->d, s->track);
    return 0;
}

static int begin_time(struct stream *s, struct reason *why)
{
    struct song *song = s->d->song;
    if (s->kind == REMI) {
        if (s->sequence == 0 && first_time_signature(s, why) < 0)
            return -1;
        /* As MidiTok, a later track begins with the last time signature of the first; its own first token sets it right. */
        const struct song_time_signature *signature = &song->time_signatures[song->time_signature_count - 1];
        set_time_signature(s, signature->numerator, signature->denominator);
        s->bar = -1;
        return 0;
    }
    s->numerator = s->denominator = 4;
    s->per_beat = song->ticks_per_quarter;
    s->per_bar = 4 * s->per_beat;
    s->bar_length = (double)s->per_bar;
    return 0;
}

static int decode_part(struct decoding *d, enum tokenization kind, const struct token *tokens, size_t count, size_t sequence, struct reason *why)
{
    struct stream s = {.d = d, .kind = kind, .tokens = tokens, .count = count, .sequence = sequence, .own_track = !d->one_stream};
    for (int i = 0; i < PROGRAMS; i++) {
        s.previous_onset[i] = s.previous_chord[i] = NO_PITCH;
        s.pedal_down[i] = -1;
    }
    if (begin_time(&s, why) < 0 || (s.own_track && begin_track(&s, why) < 0))
        return -1;
    s.has_durations = program_has_durations(d, s.program);
    if (kind != MIDI_LIKE)
        return decode_tokens(&s, NULL, why);
    sounding_notes_clear(&d->sounding);
    return decode_tokens(&s, &d->sounding, why);
}

int decode_stream(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why)
{
    if (decoding_read(d, rows, why) < 0)
        return -1;
    return decode_part(d, d->config->tokenization, d->tokens, rows->count, sequence, why);
}

/* ---- MMM ---- */

static int is_track_start(const struct decoding *d, struct token token)
{
    return token.type == TOKEN_SPECIAL && strcmp(d->config->special_tokens.names[token.value], "Track_Start") == 0;
}

/* Each track from behind its Track_Start to before its Track_End; a sequence without any is a track. */
int decode_mmm(struct decoding *d, const struct token_rows *rows, struct reason *why)
{
    if (decoding_read(d, rows, why) < 0)
        return -1;
    size_t begin = 0, tracks = 0;
    while (begin < rows->count && !is_track_start(d, d->tokens[begin]))
        begin++;
    if (begin == rows->count)
        return decode_part(d, d->config->base_tokenizer, d->tokens, rows->count, 0, why);
    while (begin < rows->count) {
        size_t end = begin + 1;
        while (end < rows->count && !is_track_start(d, d->tokens[end]))
            end++;
        size_t last = end < rows->count && end - 1 > begin ? end - 1 : end;
        if (decode_part(d, d->config->base_tokenizer, d->tokens + begin + 1, last - begin - 1, tracks++, why) < 0)
            return -1;
        begin = end;
    }
    return 0;
}
