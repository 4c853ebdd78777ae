/* From a file's bytes to a Standard MIDI File, by what the bytes are and never by the file's name: MIDI (bare or in a RIFF wrapper: .mid, .kar, .rmi) as it
 * stands, gzip data unpacked, ABC notation through abc2midi; gzip may hold ABC. Whatever else is handed on for the MIDI reader to refuse. */
#ifndef REPRISE_MIDI_INPUT_H
#define REPRISE_MIDI_INPUT_H

#include "gunzip.h"
#include "message.h"
#include "midi_file.h"

struct midi_input { struct unpacked unpacked, midi; }; /* start with {0}; the memory is kept from file to file */

/* Reads what the bytes hold into `file`, whose texts point into `bytes` or into `input`. Where `file` asks for leniency, gzip data that is
 * damaged gives what could be unpacked. 0, or -1 with `why`. */
int midi_input_read(const uint8_t *bytes, size_t count, struct midi_input *input, struct midi_file *file, struct reason *why)
    __attribute__((warn_unused_result));
void midi_input_free(struct midi_input *input);

#endif
