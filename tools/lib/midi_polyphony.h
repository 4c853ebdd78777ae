/* How many notes sound at once, at most. Linear in the number of notes: they are counted by coarse spans of time, which bounds the answer, and only the spans
 * in which the most can lie are looked at note by note. */
#ifndef REPRISE_MIDI_POLYPHONY_H
#define REPRISE_MIDI_POLYPHONY_H

#include "midi_file.h"

/* Of all tracks together, drums included; a note sounds from its start until before its end. The file's scratch memory is used.
 * 0, or -1 with `why`. */
int midi_polyphony(struct midi_file *file, int32_t last_end, size_t *most, struct reason *why) __attribute__((warn_unused_result));

#endif
