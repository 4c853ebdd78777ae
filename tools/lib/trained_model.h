/* The model of a tokenizer that MidiTok has trained: BPE, Unigram or WordPiece over music's tokens, as it stands in a tokenizer.json (_model, _vocab_base,
 * _vocab_base_byte_to_token).
 *
 * To such a model each base token is a character, a bar, a beat or a whole sequence (encode_ids_split) is a word, and its ids are those of subwords. Promise: the ids of MidiTok's
 * encode_token_ids(), and back. Base ids here are those of vocabulary.h; where the file numbers its base tokens in another way (training Unigram adds some), this module
 * translates. A model with parts that MidiTok does not make (a normalizer, other pre-tokenizers than Metaspace) is refused by name.
 * Memory is in proportion to the file, and to the sequence. */
#ifndef REPRISE_TRAINED_MODEL_H
#define REPRISE_TRAINED_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "token_ids.h"
#include "vocabulary.h"

struct trained_model;

/* From the text of a tokenizer.json. `vocabulary`: a single one, of the file's configuration; it must outlive the model. *model: NULL if the file holds none. 0, or -1 with
 * `why`, which names the member. */
int trained_model_open(const char *json, size_t count, const struct vocabulary *vocabulary, struct trained_model **model, struct reason *why)
    __attribute__((warn_unused_result));
void trained_model_close(struct trained_model *model); /* NULL is allowed */

/* Appends the subword ids of base ids that form one word. 0, or -1 with `why`: a base token without a character, or a character that the model does not know and has no
 * token for. */
int trained_model_encode(struct trained_model *model, const int32_t *ids, size_t count, struct token_ids *out, struct reason *why) __attribute__((warn_unused_result));

/* Appends base ids: of subword ids (`encoded` 1), of base ids as the file numbers them (0), or of what MidiTok takes them for (-1: subwords if any id is beyond the base
 * vocabulary). At most `most` ids in all. 0, or -1 with `why`: an id that is not there, too many ids. */
int trained_model_decode(const struct trained_model *model, const int32_t *ids, size_t count, int encoded, size_t most, struct token_ids *out, struct reason *why)
    __attribute__((warn_unused_result));

#endif
