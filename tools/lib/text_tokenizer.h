/* Text to token ids, by the tokenizer in a model folder: tokenizer.json (the form of the `tokenizers` package), else vocab.txt (WordPiece), else vocab.json and merges.txt
 * (byte-level BPE).
 *
 * Promise: the same ids as the `tokenizers` package for every text that is UTF-8: added tokens, normalizers, pre-tokenizers, model and template are applied in its order and
 * with its Unicode tables (unicode_bert.h, unicode_text.h), so ids do not depend on this system's Unicode version. A part that is not known is refused by
 * name. Truncation and padding that the file states are not looked at: the limit is the caller's, as in sentence-transformers. No allocation per token. */
#ifndef REPRISE_TEXT_TOKENIZER_H
#define REPRISE_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* A special token as tokenizer_config.json has it. */
struct special_token { char text[256]; int lstrip, rstrip, single_word; }; /* text "": not said */
enum special { SPECIAL_UNKNOWN, SPECIAL_FIRST, SPECIAL_LAST, SPECIAL_PADDING, SPECIAL_MASK, SPECIALS };

/* What tokenizer_config.json, config.json and sentence_bert_config.json say. */
struct tokenizer_settings {
    char class[64], model[64];                    /* tokenizer_class, model_type; "": not said */
    int lower_case, strip_accents, split_chinese; /* BERT's tokenizer classes look at these and not at tokenizer.json; strip_accents -1: as lower_case */
    int lower_first;                              /* sentence-transformers' do_lower_case: everything to lower case before all else */
    int prefix_space;                             /* for vocab.json: a space before the text */
    struct special_token special[SPECIALS];       /* for vocab.txt and vocab.json */
};

struct text_tokenizer;

/* NULL with `why`, which names the file. */
struct text_tokenizer *text_tokenizer_open(const char *folder, const struct tokenizer_settings *settings, struct reason *why) __attribute__((warn_unused_result));
void text_tokenizer_close(struct text_tokenizer *tokenizer); /* NULL is allowed */

/* Writes at most `max_tokens` ids, those of the template included. Returns their number, or -1 with `why` where the text is not UTF-8, or has a character that the
 * tokenizer has no id for. */
long text_tokenizer_encode(struct text_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
    __attribute__((warn_unused_result));

/* How many ids the template adds to every text. */
size_t text_tokenizer_added(const struct text_tokenizer *tokenizer);
/* One more than the highest id it can give. */
size_t text_tokenizer_ids(const struct text_tokenizer *tokenizer);
/* Whether the last id of every text is a special token's. */
int text_tokenizer_ends_special(const struct text_tokenizer *tokenizer);

/* Adds everything that decides ids to a hash. */
struct hash_state;
void text_tokenizer_hash(const struct text_tokenizer *tokenizer, struct hash_state *state);

#endif
