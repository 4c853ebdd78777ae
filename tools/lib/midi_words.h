/* The words of a MIDI file as UTF-8. MIDI files do not say how their texts are encoded: what is well-formed UTF-8 is taken for that, anything else for
 * Latin-1. Control characters of ASCII are dropped but for tabs and line ends, which become newlines. */
#ifndef REPRISE_MIDI_WORDS_H
#define REPRISE_MIDI_WORDS_H

#include <stddef.h>

#include "midi_file.h"
#include "text_buffer.h"

/* Puts the text, without white space around it, in the place of what `out` held: of at most `most` bytes, cut between characters. Returns whether anything but white space was cut off. */
int decode_words(struct text_buffer *out, const char *bytes, size_t count, size_t most);

/* What is sung: the lyric events end to end in file order or, in a karaoke file (.kar: a text begins with "@KMIDI KARAOKE"), its text events without those that
 * begin with "@", where "/" begins a line and "\" a verse. Appends the undecoded bytes, no more than `most` and a text's length. */
void gather_lyrics(struct text_buffer *out, const struct midi_file *file, size_t most);
/* Whether the text events of the file are lyrics. */
int is_karaoke(const struct midi_file *file);

#endif
