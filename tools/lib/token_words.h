/* Where a sequence of tokens is cut into words before a trained model sees it (MidiTok's encode_ids_split): at the bars or beats of the score, or not at all.
 *
 * As MidiTok does it: a word begins with the first token whose event is at or behind the next bar; bars are counted up to the last start of anything in the
 * score, so a note's end behind that begins none; MMM's tracks are cut each for itself. */
#ifndef REPRISE_TOKEN_WORDS_H
#define REPRISE_TOKEN_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "grid_score.h"
#include "midi_file.h"
#include "tokenizer.h"

/* Start with {0}; it keeps its memory. */
struct token_words { size_t *ends; size_t count, capacity; };

/* Fills `words` with the end of each word of `count` tokens, none of them empty. `ids` and `times` [count]: the tokens and when their events are, in ticks of the
 * grid. `file`: what `score` was made of. 0, or -1 with `why`. */
int token_words_find(struct token_words *words, const struct tokenizer *tokenizer, const struct midi_file *file, const struct grid_score *score,
                     const int32_t *ids, const int32_t *times, size_t count, struct reason *why) __attribute__((warn_unused_result));
void token_words_free(struct token_words *words);

#endif
