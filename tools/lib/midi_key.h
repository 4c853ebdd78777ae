/* What a MIDI item is known by: the hash of its file's bytes. Where they may be ABC notation, what comes of them depends on the program that converts it too,
 * and the key is the hash of both: so the tokens of such files, and of no others, are made anew when abc2midi is installed, removed or replaced. */
#ifndef REPRISE_MIDI_KEY_H
#define REPRISE_MIDI_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"

/* The program, looked for when first needed; start with {0}. */
struct midi_converter { char hash[HASH_HEX + 1]; };

/* ABC notation, or gzip data, which may hold it. */
int may_be_abc(const uint8_t *bytes, size_t count);
/* The key of a file by the hash of its bytes; `convertible`: they may be ABC. 0, or -1 with `why`: abc2midi is there, but cannot be read. */
int midi_key_of(struct hash bytes, int convertible, struct midi_converter *converter, struct hash *key, struct reason *why) __attribute__((warn_unused_result));
/* The key of a file by its bytes; likewise. */
int midi_key(const uint8_t *bytes, size_t count, struct midi_converter *converter, struct hash *key, struct reason *why) __attribute__((warn_unused_result));

#endif
