/* A MIDI file while it is read: what midi_file.c (chunks) and midi_track.c (the events of a track) share. */
#ifndef REPRISE_MIDI_READING_H
#define REPRISE_MIDI_READING_H

#include "midi_file.h"

struct midi_reading {
    struct midi_file *file;
    const uint8_t *bytes, *end;
    struct reason *why;
    size_t chunk; /* MTrk chunks so far */
    int is_damage; /* the last failure is a fault of the file, not a lack of memory */
};

/* Reads the events from `at` to `end`, an MTrk chunk's contents, and adds what they say to the file. 0, or -1 with the reading's `why`. */
int midi_track_read(struct midi_reading *reading, const uint8_t *at, const uint8_t *end) __attribute__((warn_unused_result));

/* A fault of the file at `at`. Returns -1. */
int midi_damaged(struct midi_reading *reading, const uint8_t *at, const char *what);
/* Whether to go on with what was read before the failure, which is then noted in the file: a fault of a file that is read leniently. */
int midi_is_forgiven(struct midi_reading *reading);
/* The number of that many bytes, the greatest first. */
uint32_t midi_big_endian(const uint8_t *at, int bytes);

#endif
