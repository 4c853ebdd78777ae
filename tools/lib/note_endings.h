/* Notes as pretty_midi makes them, which the earlier Python system was built upon, for its tokens (amt.h): each where it ends, in file order. An ending ends all notes of its
 * channel and pitch that sound but those that begin at that very tick: they sound on, or, where nothing else sounds, never were. A note belongs to the instrument
 * of its channel's program then. (midi_file.h pairs beginnings and endings one by one, as symusic does.)
 * Filled by midi_file_read where it is asked for. Memory is in proportion to the file's notes. */
#ifndef REPRISE_NOTE_ENDINGS_H
#define REPRISE_NOTE_ENDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define NOTE_ENDINGS_KEYS (16 * 128) /* a channel and a pitch, or a channel and a program */

/* instrument: the place of its first note; they are in the order in which the instruments are met. */
struct note_ending { int32_t start; uint32_t instrument; uint8_t pitch, velocity; };

/* Start with {0}. */
struct note_endings {
    struct note_ending *list;
    size_t count, capacity;
    /* of the chunk at hand */
    struct sounding { int32_t start; uint32_t next; uint16_t key; uint8_t velocity; } *sounding;
    size_t sounding_count, sounding_capacity, chunk_begin;
    uint32_t first[NOTE_ENDINGS_KEYS], last[NOTE_ENDINGS_KEYS]; /* 1 + the places of those that sound; 0: none does */
    uint32_t instrument[NOTE_ENDINGS_KEYS];                     /* 1 + the place of its first note; of this chunk where it is behind chunk_begin */
};

void note_endings_clear(struct note_endings *endings);
/* Notes that still sound at a chunk's end never were. */
void note_endings_begin_chunk(struct note_endings *endings);
/* 0, or -1 with `why`. */
int note_endings_start(struct note_endings *endings, unsigned channel, uint8_t pitch, uint8_t velocity, int32_t time, struct reason *why)
    __attribute__((warn_unused_result));
int note_endings_end(struct note_endings *endings, unsigned channel, uint8_t program, uint8_t pitch, int32_t time, struct reason *why)
    __attribute__((warn_unused_result));
void note_endings_free(struct note_endings *endings);

#endif
