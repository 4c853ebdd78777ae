/* Byte-pair encoding of one pre-tokenized piece of text (Sennrich et al. 2016, arXiv 1508.07909), as the `tokenizers` package defines it: merges in order of their
 * rank, at equal rank from the left.
 *
 * Promise: the same ids as the package's BPE model for every piece that is UTF-8, unknown characters (unk_token, fuse_unk, byte_fallback), affixes
 * (continuing_subword_prefix, end_of_word_suffix) and ignore_merges included. A piece of n characters takes n log n steps. A model that drops
 * merges by chance (dropout) is refused, since its ids are no function of the text. */
#ifndef REPRISE_BPE_H
#define REPRISE_BPE_H

#include <cjson/cJSON.h>

#include "token_ids.h"

struct bpe;

/* From a tokenizer.json's `model` object, which need not outlive this call: vocab {text: id}, merges ["a b", …] or [["a", "b"], …], and the settings above.
 * NULL with `why`, which names the member. */
struct bpe *bpe_open(const cJSON *model, struct reason *why) __attribute__((warn_unused_result));
void bpe_close(struct bpe *bpe); /* NULL is allowed */

/* Appends the ids of a piece to `ids`; an empty piece has none. 0, or -1 with `why`: out of memory, or an unknown character where the model has no token for it in spite of its
 * unk_token. The piece must be UTF-8. */
int bpe_encode(struct bpe *bpe, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why) __attribute__((warn_unused_result));

/* The id of a whole token, -1 if there is none; and one more than the highest id. */
int32_t bpe_find(const struct bpe *bpe, const char *token);
size_t bpe_ids(const struct bpe *bpe);

#endif
