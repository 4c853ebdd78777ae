/* Unigram tokens of one pre-tokenized piece of text: the split whose tokens have the largest sum of log probabilities (Kudo 2018, arXiv 1804.10959), as the `tokenizers`
 * package finds it.
 *
 * Promise: the same ids as the package's Unigram model for every piece that is UTF-8, ties, unknown characters (fused with their neighbours) and byte_fallback
 * included. Time and memory grow with the piece's length times that of the longest token. */
#ifndef REPRISE_UNIGRAM_H
#define REPRISE_UNIGRAM_H

#include <cjson/cJSON.h>

#include "token_ids.h"

struct unigram;

/* From a tokenizer.json's `model` object, which need not outlive this call: vocab [["text", score], …], whose places are the ids, unk_id, byte_fallback. NULL with `why`. */
struct unigram *unigram_open(const cJSON *model, struct reason *why) __attribute__((warn_unused_result));
void unigram_close(struct unigram *unigram); /* NULL is allowed */

/* Appends the ids of a piece to `ids`; an empty piece has none. 0, or -1 with `why`: out of memory, or an unknown character where the model has no unk_id. The piece must be UTF-8. */
int unigram_encode(struct unigram *unigram, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why) __attribute__((warn_unused_result));

/* The id of a whole token, -1 if there is none; and one more than the highest id. */
int32_t unigram_find(const struct unigram *unigram, const char *token);
size_t unigram_ids(const struct unigram *unigram);

#endif
