/* From a MIDI file to its token ids: for every tokenization, as MidiTok 3.1.0 writes them, id for id. AMT: amt.h. */
#ifndef REPRISE_ENCODE_H
#define REPRISE_ENCODE_H

#include <stddef.h>

#include "grid_score.h"
#include "message.h"
#include "midi_file.h"
#include "score_events.h"
#include "token_list.h"
#include "tokenizer.h"

/* What is kept from file to file; start with {0}. */
struct encoder { struct grid_score score; struct score_events events; };

/* Prepares the file: how many sequences it gives (one, or one a track), or -1 with `why`. */
long encoder_prepare(struct encoder *encoder, const struct tokenizer *tokenizer, const struct midi_file *file, struct reason *why)
    __attribute__((warn_unused_result));

/* Appends the ids of a sequence of the prepared file to `out`; with several vocabularies whole rows. 0, or -1 with `why`: no memory; more than `most` ids (an
 * absurd time gives tokens for every empty bar before it); or the vocabulary lacks a token that the file needs, where MidiTok fails too. */
int encoder_encode(struct encoder *encoder, const struct tokenizer *tokenizer, long sequence, size_t most, struct token_list *out, struct reason *why)
    __attribute__((warn_unused_result));
void encoder_free(struct encoder *encoder);

#endif
