/* The model of a tokenizer.json, whichever it is: WordPiece, BPE or Unigram. One piece of text to ids, with a cache in front (piece_cache.h). */
#ifndef REPRISE_TOKEN_MODEL_H
#define REPRISE_TOKEN_MODEL_H

#include <cjson/cJSON.h>

#include "token_ids.h"

struct token_model;

/* NULL with `why`. */
struct token_model *token_model_open(const cJSON *spec, struct reason *why) __attribute__((warn_unused_result));
/* WordPiece from the text of a vocab.txt. */
struct token_model *token_model_from_lines(const char *text, size_t bytes, const char *unknown, struct reason *why) __attribute__((warn_unused_result));
void token_model_close(struct token_model *model); /* NULL is allowed */

/* Appends the ids of a piece of at least one byte, behind which TEXT_PADDING bytes may be read. 0, or -1 with `why`. */
int token_model_encode(struct token_model *model, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why) __attribute__((warn_unused_result));

/* The id of a whole token, -1 if there is none; and one more than the highest id. */
int32_t token_model_find(const struct token_model *model, const char *token);
size_t token_model_ids(const struct token_model *model);

#endif
