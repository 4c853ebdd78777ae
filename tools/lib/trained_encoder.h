/* A tokenizer with the trained model that its tokenizer.json may hold: base tokens, cut into words as the configuration says, to subwords and back. Without a model everything
 * passes as it is. */
#ifndef REPRISE_TRAINED_ENCODER_H
#define REPRISE_TRAINED_ENCODER_H

#include "encode.h"
#include "hash.h"
#include "text_buffer.h"
#include "token_ids.h"
#include "token_list.h"
#include "token_words.h"
#include "trained_model.h"

/* Start with {0}; `model` NULL: there is none. */
struct trained_encoder { struct trained_model *model; struct hash file; struct token_list base; struct token_words words; struct token_ids subwords; };

/* Reads the model of a tokenizer.json, if it has one. 0, or -1 with `why`. */
int trained_encoder_open(struct trained_encoder *trained, const char *config_path, const struct tokenizer *tokenizer, struct reason *why)
    __attribute__((warn_unused_result));
/* Whether sequences are cut into words: then the file must be read with its controls, which are looked at for that (token_words.h). */
int trained_encoder_cuts(const struct trained_encoder *trained, const struct tokenizer_config *config);
/* Adds what tells one model from another to a signature; nothing without a model. */
void trained_encoder_sign(const struct trained_encoder *trained, struct text_buffer *text);
/* encoder_encode, and then its ids to subwords. Appends to `out`, whose times are not kept. */
int trained_encoder_encode(struct trained_encoder *trained, struct encoder *encoder, const struct tokenizer *tokenizer, const struct midi_file *file, long sequence,
                           size_t most, struct token_list *out, struct reason *why) __attribute__((warn_unused_result));
void trained_encoder_free(struct trained_encoder *trained);

#endif
