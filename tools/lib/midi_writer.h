/* A song as a Standard MIDI File of format 1: a track with tempos, time and key signatures, then one or more for each of the song's, named after their instruments.
 *
 * Read again, the file gives the song back, note for note. A reader pairs the starts and ends of one pitch in a track first in, first out, so a note that ends before an
 * earlier one of its pitch does goes to a further track of the same program (the fewest that will do). Notes that start together stay in order.
 * Melodic tracks take channels 1-9 and 11-16 in turn, and behind those 15 a MIDI port of their own; drums have channel 10.
 * A pedal is controller 64 with 127 and 0. Ends stand before starts at one time.
 *
 * Refused, because a file cannot hold it: pitches, velocities, controllers above 127, a velocity of 0, tempos below 3.58 quarters a minute, divisions above 32767, note values that are
 * no power of 2 or below 1/128, numerators above 255, keys of more than 7 sharps or flats, more than 65535 tracks. */
#ifndef REPRISE_MIDI_WRITER_H
#define REPRISE_MIDI_WRITER_H

#include "message.h"
#include "song.h"
#include "text_buffer.h"

/* Appends the file's bytes to `out`. 0, or -1 with `why`. */
int midi_write(const struct song *song, struct text_buffer *out, struct reason *why) __attribute__((warn_unused_result));

#endif
