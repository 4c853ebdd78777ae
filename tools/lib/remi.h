/* REMI, as MidiTok 3.1.0 writes it in its default configuration (TokenizerConfig(), or the same with use_programs=True): token for token.
 *
 * A sequence begins every bar with Bar and TimeSig; Position stands wherever time moves and after each TimeSig of a change; a note is [Program] Pitch or
 * PitchDrum, Velocity, Duration. Ids, 357 of them without programs and 486 with:
 *   PAD BOS EOS MASK 0-3, Bar 4, Pitch 21..109 5-93, Velocity 94-125, Duration 126-189, Position 190-285, PitchDrum 27..88 286-347,
 *   [Program 0..127 348-475, Program -1 476,] TimeSig in grid_time_signatures' order. */
#ifndef REPRISE_REMI_H
#define REPRISE_REMI_H

#include <stddef.h>
#include <stdint.h>

#include "grid_score.h"
#include "message.h"

struct token_list { int32_t *ids; size_t count, capacity; };

/* Appends the tokens of one of the score's sequences. `programs` as the score was made. 0, or -1 with `why`: no memory, or the
 * list would hold more than `most` tokens (an absurd time gives two tokens for every empty bar before it). */
int remi_encode(const struct grid_score *score, const struct grid_sequence *sequence, int programs, size_t most, struct token_list *out,
                struct reason *why) __attribute__((warn_unused_result));

#endif
