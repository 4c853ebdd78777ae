/* A score as a list of events in time, the common form from which most tokenizations write.
 *
 * MidiTok makes an event of every token but those of time, in this order: time signatures, tempos and key signatures; then, track by track, pedals, pitch
 * bends, controls, chords and notes; and sorts them by time alone, stably. Here what always stays together is one event: a note with its program, velocity
 * and duration, a pedal with its duration. An event carries the id of its own token, so that writing it is looking up little. */
#ifndef REPRISE_SCORE_EVENTS_H
#define REPRISE_SCORE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "grid_score.h"
#include "message.h"
#include "time_order.h"
#include "tokenizer.h"

enum event_kind { EVENT_TIME_SIG, EVENT_TEMPO, EVENT_KEY_SIG, EVENT_PEDAL, EVENT_PEDAL_OFF, EVENT_BEND, EVENT_CONTROL, EVENT_CHORD, EVENT_NOTE, EVENT_NOTE_OFF };

#define LENGTH_NONE 0xffff

struct score_event {
    int32_t time;
    int32_t end;      /* of a note or a pedal; of a time signature: its index in the score */
    int32_t id;       /* of its token (NoteOn too is the token of a note); -1: the vocabulary has none, and MidiTok would fail */
    uint16_t length;  /* index of the duration that follows; LENGTH_NONE: none does */
    uint8_t kind;
    uint8_t velocity; /* of a note: index */
    int16_t program;  /* of the track, -1 for drums; 0 for what belongs to none */
    uint8_t program_changes; /* 1: a Program token stands before it, since another one played before (only where program_changes) */
};

struct score_events {
    struct score_event *list;
    size_t count, capacity;
    struct time_order order;
};

/* The events of the whole score in one stream (track: -1), or of one track with the global ones, or, if the score has no track, of the global ones alone
 * (track 0). 0, or -1 with `why`. */
int score_events_make(const struct tokenizer *tokenizer, const struct grid_score *score, long track, struct score_events *events, struct reason *why)
    __attribute__((warn_unused_result));
void score_events_free(struct score_events *events);

/* Adds an event at the end; room is made. */
int score_events_add(struct score_events *events, struct score_event event, struct reason *why);

/* chords.c: adds the chords of a track, as MidiTok's detect_chords finds them in its notes. 0, or -1 with `why`. */
int add_chord_events(const struct tokenizer *tokenizer, const struct grid_score *score, const struct grid_track *track, struct score_events *events,
                     struct reason *why);

#endif
