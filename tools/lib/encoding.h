/* What the encoders of all tokenizations share: writing tokens. An encoder writes one sequence; encode.c picks it by the tokenization.
 *
 * Ids that the vocabulary lacks (-1) are written too, and noticed at the end: MidiTok fails on such a file, and so does encode.c. */
#ifndef REPRISE_ENCODING_H
#define REPRISE_ENCODING_H

#include <stddef.h>
#include <stdint.h>

#include "grid_score.h"
#include "grow.h"
#include "message.h"
#include "score_events.h"
#include "token_list.h"
#include "tokenizer.h"

struct encoding {
    const struct tokenizer *tokenizer;
    const struct grid_score *score;
    struct token_list *out;
    size_t most;     /* ids that `out` may hold, */
    size_t room;     /* and that it can hold now; 0: not known yet */
    int32_t lacking; /* negative: an id was */
    struct reason *why;
};

/* Makes `out` larger, within what a file may give. */
int encoding_grow(struct encoding *encoding, size_t ids);

/* Makes room for `ids`. 0, or -1 with the encoding's `why`. */
static inline int encoding_room(struct encoding *encoding, size_t ids)
{
    return encoding->out->count + ids <= encoding->room ? 0 : encoding_grow(encoding, ids);
}

/* Writes an id where there is room. */
static inline void encoding_put(struct encoding *encoding, int32_t id, int32_t time)
{
    struct token_list *out = encoding->out;
    encoding->lacking |= id;
    if (out->want_times)
        out->times[out->count] = time;
    out->ids[out->count++] = id;
}

/* The most ids of one event: program change, program, own token, velocity, duration, micro timing … */
#define EVENT_IDS 10

/* Writes an event's own tokens: [Program] its token [Velocity] [Duration]. There is room for EVENT_IDS. */
static inline void encoding_put_event(struct encoding *encoding, const struct score_event *event)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    struct token_list *out = encoding->out;
    int32_t *first = out->ids + out->count, *at = first, lacking = event->id;
    if (tokenizer->kinds_with_program >> event->kind & 1)
        lacking |= *at++ = tokenizer->program_ids[event->program + 1];
    *at++ = event->id;
    encoding->lacking |= lacking;
    if (event->kind == EVENT_NOTE && tokenizer->velocity_ids)
        *at++ = tokenizer->velocity_ids[event->velocity];
    if (event->length != LENGTH_NONE)
        *at++ = tokenizer->duration_ids[event->length];
    for (int32_t *id = first; out->want_times && id < at; id++)
        out->times[id - out->ids] = event->time;
    out->count += (size_t)(at - first);
}

/* The latest time until which something sounds, with this event: what rests are measured from. */
static inline int32_t later(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Each writes the sequence of `events`. 0, or -1 with the encoding's `why`. */
int encode_remi(struct encoding *encoding, const struct score_events *events);
int encode_time_shifts(struct encoding *encoding, const struct score_events *events); /* TSD, MIDILike */
int encode_structured(struct encoding *encoding, const struct score_events *events);
int encode_cp_word(struct encoding *encoding, const struct score_events *events);
int encode_octuple(struct encoding *encoding, const struct score_events *events);
int encode_mu_midi(struct encoding *encoding, struct score_events *events);
int encode_per_tok(struct encoding *encoding, const struct score_events *events);

#endif
