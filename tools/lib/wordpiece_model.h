/* WordPiece tokens of one pre-tokenized word: the longest token from the left, again and again (Wu et al. 2016, arXiv 1609.08144), as the `tokenizers` package defines it.
 *
 * Promise: the same ids as the package's WordPiece model for every word that is UTF-8. A word of more than max_input_chars_per_word characters, or one with a part
 * that is no token, is unknown as a whole. Time grows with the word's length times that of the longest token. */
#ifndef REPRISE_WORDPIECE_MODEL_H
#define REPRISE_WORDPIECE_MODEL_H

#include <cjson/cJSON.h>

#include "token_ids.h"

struct wordpiece_model;

/* From a tokenizer.json's `model` object, which need not outlive this call: vocab {text: id}, unk_token, continuing_subword_prefix (##), max_input_chars_per_word (100).
 * NULL with `why`. */
struct wordpiece_model *wordpiece_model_open(const cJSON *model, struct reason *why) __attribute__((warn_unused_result));
/* From the text of a vocab.txt: a token a line, the line's number (from 0) is its id. */
struct wordpiece_model *wordpiece_model_from_lines(const char *text, size_t bytes, const char *unknown, struct reason *why) __attribute__((warn_unused_result));
void wordpiece_model_close(struct wordpiece_model *model); /* NULL is allowed */

/* Appends the ids of a word to `ids`; an empty word has none. 0, or -1 with `why`: out of memory. */
int wordpiece_model_encode(const struct wordpiece_model *model, const char *word, size_t bytes, struct token_ids *ids, struct reason *why) __attribute__((warn_unused_result));

/* The id of a whole token, -1 if there is none; and one more than the highest id. */
int32_t wordpiece_model_find(const struct wordpiece_model *model, const char *token);
size_t wordpiece_model_ids(const struct wordpiece_model *model);

#endif
