/* What is recorded of a MIDI file beside its tokens, as members of a JSON object:
 *   "duration"        seconds until the last note ends, through all tempo changes (silence after it does not count)
 *   "tempo"           the first tempo that the file sets, in quarter notes a minute; 120, the standard's default, if it sets none
 *   "instruments"     the programs that play notes, ascending, each once; -1 stands for drums, as in MidiTok
 *   "notes"           how many notes there are, of any pitch
 *   "time_signature"  the first one that the file sets; "4/4", the standard's default, if it sets none
 *   "title"           the name of the first track, if it has one: UTF-8, or else taken as Latin-1 */
#ifndef REPRISE_MIDI_RECORD_H
#define REPRISE_MIDI_RECORD_H

#include "midi_file.h"
#include "text_buffer.h"

/* Appends `"duration":1.5,"tempo":120,…` without braces. */
void add_midi_record(struct text_buffer *out, const struct midi_file *file);

#endif
