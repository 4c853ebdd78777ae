#include "remi.h"

#include "grow.h"

/* The vocabulary: every kind of token begins where the one before it ends. */
enum {
    SPECIALS = 4,
    PITCHES = GRID_HIGHEST_PITCH - GRID_LOWEST_PITCH + 1,
    POSITIONS = 12 * GRID_STEPS_PER_BEAT, /* of a bar of 12/8 */
    DRUM_PITCHES = GRID_HIGHEST_DRUM - GRID_LOWEST_DRUM + 1,
    PROGRAMS = 129,

    BAR = SPECIALS,
    PITCH = BAR + 1,
    VELOCITY = PITCH + PITCHES,
    DURATION = VELOCITY + GRID_VELOCITIES,
    POSITION = DURATION + GRID_DURATIONS,
    PITCH_DRUM = POSITION + POSITIONS,
    PROGRAM = PITCH_DRUM + DRUM_PITCHES
};

struct encoding {
    struct token_list *out;
    size_t most;
    struct reason *why;
    int programs, time_sig; /* time_sig: id of the first TimeSig token */

    const struct grid_time_signature *signature; /* in force */
    int64_t bar, bar_at_change; /* counted from 0; the bar at which the signature came into force */
    int32_t bar_time;           /* when the bar began */
    int32_t step;               /* ticks from one position to the next */
    int32_t position_time;      /* of the last Position; -1: there is none. A change comes before the notes of its time, so one is wanted behind it anyway */
};

static void put(struct encoding *encoding, int32_t id)
{
    encoding->out->ids[encoding->out->count++] = id;
}

/* Makes room for `tokens`, within what a file may give. */
static int make_room(struct encoding *encoding, size_t tokens)
{
    struct token_list *out = encoding->out;
    if (tokens > encoding->most || out->count > encoding->most - tokens)
        return fail(encoding->why, "the music is spread over too many empty bars");
    return GROW(out->ids, out->capacity, out->count + tokens, encoding->why);
}

/* Begins all bars up to the one of `time`. Before a change of the time signature the last one begins with Bar alone. */
static int begin_bars(struct encoding *encoding, int32_t time, int is_change)
{
    const struct grid_time_signature *signature = encoding->signature;
    int32_t length = signature->beat * signature->numerator;
    if (encoding->bar >= 0 && time - encoding->bar_time < length)
        return 0;
    int64_t target = encoding->bar_at_change + (time - signature->time) / length;
    if (target <= encoding->bar)
        return 0;
    if (make_room(encoding, 2 * (size_t)(target - encoding->bar)) < 0)
        return -1;
    while (encoding->bar < target) {
        encoding->bar++;
        put(encoding, BAR);
        if (!is_change || encoding->bar < target)
            put(encoding, encoding->time_sig + signature->kind);
    }
    encoding->bar_time = signature->time + (int32_t)(encoding->bar - encoding->bar_at_change) * length;
    return 0;
}

static int change_signature(struct encoding *encoding, const struct grid_time_signature *next)
{
    if (begin_bars(encoding, next->time, 1) < 0 || make_room(encoding, 1) < 0)
        return -1;
    encoding->bar_at_change = encoding->bar;
    encoding->signature = next;
    encoding->step = next->beat / GRID_STEPS_PER_BEAT;
    put(encoding, encoding->time_sig + next->kind);
    return 0;
}

static int add_note(struct encoding *encoding, const struct grid_note *note)
{
    int moved = note->time != encoding->position_time;
    if ((moved && begin_bars(encoding, note->time, 0) < 0) || make_room(encoding, 5) < 0)
        return -1;
    if (moved)
        put(encoding, POSITION + (note->time - encoding->bar_time) / encoding->step);
    encoding->position_time = note->time;
    int is_drum = note->program == GRID_DRUMS;
    if (encoding->programs)
        put(encoding, PROGRAM + (is_drum ? PROGRAMS - 1 : note->program));
    put(encoding, is_drum ? PITCH_DRUM + note->pitch - GRID_LOWEST_DRUM : PITCH + note->pitch - GRID_LOWEST_PITCH);
    put(encoding, VELOCITY + note->velocity);
    put(encoding, DURATION + note->duration);
    return 0;
}

int remi_encode(const struct grid_score *score, const struct grid_sequence *sequence, int programs, size_t most, struct token_list *out,
                struct reason *why)
{
    const struct grid_time_signature *next = score->time_signatures, *signatures_end = next + score->time_signature_count;
    const struct grid_note *note = score->notes + sequence->first_note, *notes_end = note + sequence->note_count;
    struct encoding encoding = {
        .out = out,
        .most = most,
        .why = why,
        .programs = programs,
        .time_sig = PROGRAM + (programs ? PROGRAMS : 0),
        .signature = next,
        .bar = -1,
        .position_time = -1,
    };
    /* At one time a change comes before the notes. */
    while (note < notes_end || next < signatures_end) {
        if (next < signatures_end && (note == notes_end || next->time <= note->time)) {
            if (change_signature(&encoding, next++) < 0)
                return -1;
        } else if (add_note(&encoding, note++) < 0) {
            return -1;
        }
    }
    return 0;
}
