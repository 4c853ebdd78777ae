/* Text to token ids, by the tokenizer in a model folder: tokenizer.json (the form of the `tokenizers` package), else vocab.txt (WordPiece), else vocab.json and merges.txt
 * (byte-level BPE).
 *
 * Promise: the same ids as the `tokenizers` package for every text that is UTF-8: added tokens, normalizers, pre-tokenizers, model and template are done in its order and
 * with its Unicode tables (unicode_bert.h, unicode_tables.h), so ids do not depend on this system's Unicode version. A part that is not known is refused by
 * name. Truncation and padding that the file states are not looked at: the limit is the caller's, as in sentence-transformers. Work on a text stops where the limit is reached. */
#ifndef REPRISE_TEXT_TOKENIZER_H
#define REPRISE_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define TOKEN_TEXT 256 /* bytes of a special token's text, its end included */

/* What tokenizer_config.json and sentence_bert_config.json add. */
struct tokenizer_settings {
    char class[64];   /* tokenizer_class; "": not said */
    char model[64];   /* model_type of config.json; "": not said */
    int lower_case, strip_accents, split_chinese; /* as BERT's tokenizer classes have them, which look at these and not at tokenizer.json; strip_accents -1: as lower_case */
    int lower_first;  /* sentence-transformers' do_lower_case: everything to lower case before all else */
    int prefix_space; /* vocab.json alone: a space before the text */
    char unknown[TOKEN_TEXT], first[TOKEN_TEXT], last[TOKEN_TEXT], padding[TOKEN_TEXT], mask[TOKEN_TEXT]; /* without tokenizer.json */
};

struct text_tokenizer;

/* NULL with `why`, which names the file. */
struct text_tokenizer *text_tokenizer_open(const char *folder, const struct tokenizer_settings *settings, struct reason *why) __attribute__((warn_unused_result));
void text_tokenizer_close(struct text_tokenizer *tokenizer); /* NULL is allowed */

/* Writes at most `max_tokens` ids, those of the template included. Returns their number, or -1 with `why` where the text is not UTF-8. */
long text_tokenizer_encode(struct text_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
    __attribute__((warn_unused_result));

/* How many ids the template adds to every text. */
size_t text_tokenizer_added(const struct text_tokenizer *tokenizer);
/* One more than the highest id it can give. */
size_t text_tokenizer_ids(const struct text_tokenizer *tokenizer);
/* Whether the template's last id is one of a special token. */
int text_tokenizer_ends_special(const struct text_tokenizer *tokenizer);

/* Adds everything that decides ids to a hash. */
struct hash_state;
void text_tokenizer_hash(const struct text_tokenizer *tokenizer, struct hash_state *state);

#endif
