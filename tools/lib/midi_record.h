/* What is recorded of a MIDI file beside its tokens, as members of a JSON object:
 *   "duration"          seconds until the last note ends, through all tempo changes (silence after it does not count)
 *   "tempo"             the first tempo that the file sets, in quarter notes a minute; 120, the standard's default, if it sets none
 *   "instruments"       the programs that play notes, ascending, each once; -1 stands for drums, as in MidiTok
 *   "notes"             how many notes there are, of any pitch
 *   "time_signature"    the first one that the file sets; "4/4", the standard's default, if it sets none
 *   "title"             the name of the first track, if it has one
 *   "mean_tempo"        the one tempo at which the piece would take as long
 *   "instrument_names"  those of General MIDI, in the order of "instruments"; "Drums" for -1
 *   "drums"             whether drums play
 *   "polyphony"         how many notes sound at once, at most
 *   "time_signatures"   [{"time": seconds, "signature": "3/4"}, …], all that the file sets but for repeats
 *   "key_signatures"    [{"time": seconds, "key": "Bb major"}, …], likewise
 *   "track_names"       of all tracks that have one, in file order
 *   "lyrics"            what is sung, if the file says (midi_words.h)
 *   "texts", "copyrights", "markers"   its other texts (and cue points), copyright notices and markers, in file order, where there are any
 *   "damage"            where and why a file that was read leniently was left, if it was
 *   "cut"               the names of those members that would be longer: lists have at most MIDI_RECORD_LIST entries, a text has at most
 *                       MIDI_RECORD_TEXT bytes, the lyrics at most MIDI_RECORD_LYRICS
 * All texts are UTF-8, decoded as midi_words.h says. */
#ifndef REPRISE_MIDI_RECORD_H
#define REPRISE_MIDI_RECORD_H

#include "midi_file.h"
#include "text_buffer.h"

#define MIDI_RECORD_LIST 64
#define MIDI_RECORD_TEXT 256
#define MIDI_RECORD_LYRICS 8192

/* Appends `"duration":1.5,"tempo":120,…` without braces. The file's scratch memory is used. */
void add_midi_record(struct text_buffer *out, struct midi_file *file);

#endif
