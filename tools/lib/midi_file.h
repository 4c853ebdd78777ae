/* Reading Standard MIDI Files (RP-001): one pass over the bytes to notes, tempos, time and key signatures, and texts; pedals and pitch bends where wanted.
 *
 * What is read: formats 0, 1 and 2, bare or in a RIFF RMID wrapper, with any header of 6 bytes or more. Chunks of unknown type are skipped, as is
 * whatever follows the last track that the header announces; a missing end-of-track event and tracks of no bytes are accepted.
 * What is refused, with the byte where the fault stands: a file that ends inside a chunk or an event, lengths that reach beyond what there is, data
 * bytes above 127 in notes, controllers and program changes, variable-length quantities of more than four bytes, times beyond 2^31 - 1 ticks.
 *
 * Read leniently, such a file gives the complete events before each fault: the rest of that chunk is skipped, and the first fault noted. What is no
 * MIDI file, or has a header that makes no sense, is refused all the same.
 *
 * Notes are as symusic 0.6.0 reads them: a note-off, or a note-on of velocity 0, ends the longest sounding note of its channel and
 * pitch in the same MTrk chunk, whatever the program is by then; ends without a start, and notes that never end, are dropped; a note of no length stays.
 * So are pedals and pitch bends: controller 64 presses the pedal from 64 on, and a pedal belongs to the track (the channel's program then) in which it is
 * lifted, one of no length included, one never lifted dropped; what comes before a channel's first note belongs to the next track that the channel makes.
 * A fault of symusic is kept, because ids depend on it: in each chunk the pedals of all channels but the first count as pressed from the beginning.
 * Deliberate differences, where symusic departs from the specification: F7 events are skipped by their length; running status goes on
 * after system exclusive and stray F1..FE events; tempos of 0, and time signatures too short to hold a value or of note values below 1/128, are
 * ignored, as are key signatures of more than 7 accidentals, or neither major nor minor; tempos and time signatures at one time keep the file's order (symusic's sort shuffles them when there are more than 24).
 *
 * Nothing is allocated by a number that the file states; one struct midi_file serves file after file and keeps its memory. */
#ifndef REPRISE_MIDI_FILE_H
#define REPRISE_MIDI_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "time_order.h"

#define MIDI_DRUM_CHANNEL 9     /* counted from 0 */
#define MIDI_DEFAULT_TEMPO 500000 /* microseconds per quarter note, that is 120 quarters a minute */

struct midi_note { int32_t start, duration; uint8_t pitch, velocity; }; /* in ticks */

struct midi_pedal { int32_t start, duration; };        /* the sustain pedal is down */
struct midi_pitch_bend { int32_t time; int16_t value; }; /* -8192 to 8191 */
struct midi_control { int32_t time; uint8_t number, value; }; /* a control change */

/* The notes that one channel plays with one program within one MTrk chunk. It may have none: a note that never ends, or a lyric (on
 * channel index 15), makes a track too, as in symusic. */
struct midi_track {
    size_t first_note, note_count;             /* in the file's notes; in order of their starts */
    size_t first_pedal, pedal_count;           /* in the file's pedals, likewise */
    size_t first_pitch_bend, pitch_bend_count; /* in the file's pitch bends, likewise */
    size_t first_control, control_count;       /* in the file's control changes, likewise */
    uint16_t chunk; /* MTrk chunk, from 0 */
    uint8_t channel, program;
};

struct midi_tempo { int32_t time; uint32_t microseconds; /* per quarter note; never 0 */ uint16_t chunk; };
struct midi_time_signature { int32_t time; uint8_t numerator, denominator; };
struct midi_key_signature { int32_t time; int8_t sharps; uint8_t minor; }; /* sharps: negative for flats */

/* The meta events that hold text, by their types. */
enum midi_text_kind { MIDI_TEXT = 1, MIDI_COPYRIGHT, MIDI_TRACK_NAME, MIDI_INSTRUMENT_NAME, MIDI_LYRIC, MIDI_MARKER, MIDI_CUE_POINT };

/* A text of any encoding, never empty, inside the bytes that were read. */
struct midi_text {
    int32_t time;
    uint32_t length;
    const char *bytes;
    uint16_t chunk; /* MTrk chunk, from 0 */
    uint8_t kind;
};

struct midi_file {
    /* what is wanted, set before reading */
    uint8_t want_controls; /* pedals and pitch bends: else there are none */
    uint8_t want_control_changes; /* control changes of all numbers, the pedal's too */
    uint8_t lenient;
    struct note_endings *endings; /* filled (note_endings.h); NULL: not wanted */

    uint8_t is_damaged;    /* some events were left out, */
    struct reason damage;  /* the first of them because of this; only where `lenient` */

    int format;
    /* Ticks per quarter note. With SMPTE division, where ticks are parts of a second, a quarter note is taken to last half a second: then it may be no whole number. */
    double ticks_per_quarter;
    double ticks_per_second; /* with SMPTE division; else 0, and the tempos decide */

    size_t chunk_count;      /* MTrk chunks that were read */
    int32_t last_end;        /* when the last note ends, in ticks; 0 if there are no notes */

    struct midi_note *notes; /* all tracks, end to end */
    struct midi_track *tracks; /* in file order; within a chunk by channel, then program */
    struct midi_tempo *tempos; /* of all chunks, by time */
    struct midi_time_signature *time_signatures; /* of all chunks, by time */
    struct midi_key_signature *key_signatures; /* of all chunks, by time */
    struct midi_text *texts; /* in file order */
    struct midi_pedal *pedals; /* all tracks, end to end */
    struct midi_pitch_bend *pitch_bends; /* all tracks, end to end */
    struct midi_control *controls; /* all tracks, end to end */
    size_t note_count, track_count, tempo_count, time_signature_count, key_signature_count, text_count, pedal_count, pitch_bend_count, control_count;

    /* memory, kept from file to file */
    size_t note_capacity, track_capacity, tempo_capacity, time_signature_capacity, key_signature_capacity, text_capacity, pedal_capacity,
        pitch_bend_capacity, open_capacity, open_next_capacity, open_pedal_capacity, open_bend_capacity, control_capacity, open_control_capacity, span_capacity, turn_capacity;
    struct midi_open_note *open;
    uint32_t *open_next; /* of a note, while a later one of its channel and pitch sounds too: that one */
    struct midi_open_pedal *open_pedals;
    struct midi_open_bend *open_bends;
    struct midi_open_control *open_controls;
    struct midi_track_reading *track_reading;
    struct midi_span *spans;
    uint32_t *turns;
    struct time_order order;
};

/* Reads `count` bytes into `file` (start with {0}). 0, or -1 with `why`, which names no path: then the contents of `file` mean nothing. */
int midi_file_read(const uint8_t *bytes, size_t count, struct midi_file *file, struct reason *why) __attribute__((warn_unused_result));
void midi_file_free(struct midi_file *file);

/* The first chunk's name, without white space around it; of length 0 if it has none. */
struct midi_text midi_title(const struct midi_file *file);
/* Seconds from the beginning to `tick`, through all tempo changes (in formats 0, 1 and 2 alike those of all tracks). */
double midi_seconds(const struct midi_file *file, int32_t tick);
/* The same for many ticks that do not decrease, in time linear in tempos and ticks; start with {0}. */
struct midi_clock { size_t passed; uint64_t microseconds; int32_t since; }; /* microseconds: times ticks per quarter, until `since`, a tempo's time */
double midi_clock_seconds(struct midi_clock *clock, const struct midi_file *file, int32_t tick);
/* Quarter notes a minute: the tempo that takes as long to `tick` as all tempos together. */
double midi_mean_tempo(const struct midi_file *file, int32_t tick);

#endif
