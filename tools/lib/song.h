/* Music as it is built up from tokens and then written as a MIDI file (midi_writer.h): tracks with their notes and controls, and what holds for all of them.
 *
 * Times are ticks from the beginning, 0 .. SONG_LAST_TICK: a later one is refused, so that no sum of times overflows and every delta time has its four bytes in a file.
 * Lists keep the order in which things were added. One struct song serves piece after piece (song_clear) and keeps its memory. */
#ifndef REPRISE_SONG_H
#define REPRISE_SONG_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define SONG_LAST_TICK 0x0fffffff

/* Every struct begins with its time (time_order.h sorts by it). */
struct song_note { int32_t time, duration; uint8_t pitch, velocity; };
struct song_control { int32_t time; uint8_t number, value; };
struct song_bend { int32_t time; int32_t value; }; /* -8192 .. 8191 */
struct song_pedal { int32_t time, duration; };     /* the sustain pedal, from down to up */
struct song_tempo { int32_t time; double quarters_a_minute; };
struct song_time_signature { int32_t time; int numerator, denominator; };
struct song_key_signature { int32_t time; int key, minor; }; /* key: sharps, or flats as a negative number, -7 .. 7 */

struct song_track {
    int program; /* General MIDI, from 0; of drums the kit */
    int is_drum;
    struct song_note *notes;
    struct song_control *controls;
    struct song_bend *bends;
    struct song_pedal *pedals;
    size_t note_count, control_count, bend_count, pedal_count;
    size_t note_capacity, control_capacity, bend_capacity, pedal_capacity;
};

struct song {
    int ticks_per_quarter;
    struct song_track *tracks;
    struct song_tempo *tempos;
    struct song_time_signature *time_signatures;
    struct song_key_signature *key_signatures;
    size_t track_count, tempo_count, time_signature_count, key_signature_count;
    /* memory; tracks beyond track_count keep theirs too */
    size_t tracks_used, track_capacity, tempo_capacity, time_signature_capacity, key_signature_capacity;
};

/* Start with {0}. */
void song_clear(struct song *song);
void song_free(struct song *song);

/* A new track behind the others, and its index in *track. This and the calls below: 0, or -1 with `why`. */
int song_add_track(struct song *song, int program, int is_drum, size_t *track, struct reason *why) __attribute__((warn_unused_result));
/* Takes back the last track. */
void song_drop_track(struct song *song);

/* Times from 0 to SONG_LAST_TICK, the ends too; otherwise refused. */
int song_add_note(struct song *song, size_t track, struct song_note note, struct reason *why) __attribute__((warn_unused_result));
int song_add_control(struct song *song, size_t track, struct song_control control, struct reason *why) __attribute__((warn_unused_result));
int song_add_bend(struct song *song, size_t track, struct song_bend bend, struct reason *why) __attribute__((warn_unused_result));
int song_add_pedal(struct song *song, size_t track, struct song_pedal pedal, struct reason *why) __attribute__((warn_unused_result));
int song_add_tempo(struct song *song, struct song_tempo tempo, struct reason *why) __attribute__((warn_unused_result));
int song_add_time_signature(struct song *song, struct song_time_signature signature, struct reason *why) __attribute__((warn_unused_result));
int song_add_key_signature(struct song *song, struct song_key_signature signature, struct reason *why) __attribute__((warn_unused_result));

#endif
