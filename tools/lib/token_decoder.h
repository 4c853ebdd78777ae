/* Tokens back to music, for every tokenization and any configuration: what MidiTok 3.1.0's decode() gives, note for note.
 *
 * What a tokenization does not say is lost and nothing else: times and durations are on its grid, velocities and tempos are those of its bins; without
 * velocities they are 100, without durations config.default_note_duration; tracks of one program are one where they share a stream. A tempo and a time signature stand at the
 * beginning in any case: those of the tokens, else MidiTok's defaults (the tempo of the vocabulary that is nearest to 120, 4/4).
 *
 * Ids may come in any order, as a model that is still learning gives them: what does not fit together is passed over, as in MidiTok. Refused are only ids that the vocabulary
 * does not have and times beyond SONG_LAST_TICK. Memory is in proportion to the number of tokens.
 *
 * Faults of MidiTok that are not copied:
 *   - drums outside `pitch_range` (but inside `drums_pitch_range`) are kept; MidiTok's decode() drops them;
 *   - with a program for each track given beside the tokens, a drum track counts as program -1 where use_note_duration_programs is asked, as when it was encoded; MidiTok asks for 0;
 *   - numbered bars (max_bar_embedding with REMI) are bars; MidiTok's decode() knows only Bar_None, and puts all music into the first bar;
 *   - Octuple's tracks each begin with the first bar and add no time signature; in MidiTok the second track goes on where the time signatures of the first ended;
 *   - PerTok's pedals are decoded; MidiTok fails on them. Its micro-timing before the beginning becomes 0;
 *   - a tempo that is repeated at each token (MuMIDI) is one tempo. */
#ifndef REPRISE_TOKEN_DECODER_H
#define REPRISE_TOKEN_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "song.h"
#include "token_input.h"
#include "tokenizer.h"

struct token_decoder;

/* For a tokenizer, which must outlive it. NULL without memory. */
struct token_decoder *token_decoder_open(const struct tokenizer *tokenizer) __attribute__((warn_unused_result));
void token_decoder_close(struct token_decoder *decoder); /* NULL is allowed */

/* Ids of a token: 1, or the number of the tokenization's columns; the fewest that it has (MuMIDI's rows without a note are shorter). */
size_t token_decoder_width(const struct token_decoder *decoder);
size_t token_decoder_least_width(const struct token_decoder *decoder);

/* Decodes sequences of base ids into `song`, whatever it held before. `programs`: of the tracks, where there is a sequence for each; tracks beyond them are pianos
 * unless their tokens name a program. 0, or -1 with `why`. */
int token_decode(struct token_decoder *decoder, const struct token_rows *rows, size_t count, const struct token_program *programs, size_t program_count,
                 struct song *song, struct reason *why) __attribute__((warn_unused_result));

#endif
