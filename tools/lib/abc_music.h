/* ABC notation to MIDI, by Debian's abc2midi (package abcmidi).
 *
 * The program is old and reads files of strangers, so it runs apart: without a shell, with nothing but anonymous memory files as input and output (no
 * file is left behind, however the run ends), with limits on processor time, memory and output, and it dies with its parent. Its exit
 * status is checked, and that it wrote something. Of a file with several tunes the first is taken, as abc2midi does.
 * ABC that includes other files is refused: what comes of a file must depend on its bytes alone. */
#ifndef REPRISE_ABC_MUSIC_H
#define REPRISE_ABC_MUSIC_H

#include <stddef.h>
#include <stdint.h>

#include "gunzip.h"
#include "hash.h"
#include "message.h"

/* Whether the bytes are ABC: text in which a line "X:" (a tune's number) is followed by a line "K:" (its key). */
int is_abc(const uint8_t *bytes, size_t count);
/* Fills `midi` with what abc2midi writes. 0, or -1 with `why` ("… needs the program abc2midi (Debian package abcmidi)"). */
int abc_to_midi(const uint8_t *bytes, size_t count, struct unpacked *midi, struct reason *why) __attribute__((warn_unused_result));
/* What decides what comes of ABC: the hash of the program abc2midi, the first one in PATH; "none" where there is none.
 * 0, or -1 with `why` where it cannot be told: it is there, but cannot be read. */
int abc_converter(char hex[HASH_HEX + 1], struct reason *why) __attribute__((warn_unused_result));

#endif
