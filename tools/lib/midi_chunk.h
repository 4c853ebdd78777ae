/* An MTrk chunk while it is read: what midi_track.c (its events) and midi_place.c (their places in the file) share. */
#ifndef REPRISE_MIDI_CHUNK_H
#define REPRISE_MIDI_CHUNK_H

#include "midi_reading.h"

#define MIDI_CHANNELS 16
#define MIDI_KEYS (MIDI_CHANNELS * 128) /* a channel and a pitch, or a channel and a program */
#define NOBODY UINT32_MAX
#define NO_TRACK UINT16_MAX

/* A note of the chunk. */
struct midi_open_note {
    int32_t start, end; /* end: -1 while it sounds */
    uint16_t track;     /* of the chunk's tracks */
    uint8_t channel, pitch, velocity;
};

/* Pedals, pitch bends and control changes wait until the chunk's tracks are all known. */
struct midi_open_pedal { struct midi_pedal pedal; uint16_t track; };
struct midi_open_bend { struct midi_pitch_bend bend; uint16_t track; };
struct midi_open_control { struct midi_control control; uint16_t track; };

/* A track of the chunk. What a channel's controllers say before its first note waits in a track without a program, which the channel's next new track becomes. */
struct chunk_track {
    uint32_t notes, at; /* at: its place in the file's tracks, or NOBODY */
    uint8_t channel, program, kept;
};

struct midi_track_reading {
    struct midi_reading *reading;
    struct midi_file *file;
    struct note_endings *endings; /* the file's, or NULL */
    size_t open_count, pedal_count, bend_count, control_count, track_count; /* open_count: notes, in the file's `open` */
    uint8_t program[MIDI_CHANNELS];
    uint16_t now[MIDI_CHANNELS];       /* the track of the channel's program of now, which is kept; or NO_TRACK: not looked up yet */
    uint16_t waiting[MIDI_CHANNELS];   /* the track without a program, or NO_TRACK */
    int32_t pedal_down[MIDI_CHANNELS]; /* since when, or -1 */
    uint64_t known[MIDI_KEYS / 64];    /* bits: which entries of track_of hold */
    uint16_t track_of[MIDI_KEYS];      /* by channel and program */
    /* By channel and pitch: the notes that have sounded longest and shortest; between chunks NOBODY, as far as the former goes. The file's open_next leads from the one to the other. */
    struct midi_sounding { uint32_t first, last; } sounding[MIDI_KEYS];
    struct chunk_track tracks[MIDI_KEYS + MIDI_CHANNELS];
};

/* Adds the chunk's tracks to the file's, by channel and program, and moves there what belongs to them: ended notes, and pedals, pitch bends and controls where
 * they are wanted. 0, or -1 with the reading's `why`. */
int midi_place(struct midi_track_reading *track) __attribute__((warn_unused_result));

#endif
