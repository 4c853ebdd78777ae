/* The added tokens of a tokenizer.json: texts that are found in a text before (or, "normalized", after) its normalization and become one id, whatever stands around them.
 *
 * Promise: the same matches as the `tokenizers` package: from the left, the longest first; lstrip, rstrip and single_word included. */
#ifndef REPRISE_ADDED_TOKENS_H
#define REPRISE_ADDED_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "trie.h"

struct added_token { char *text; int32_t id; int lstrip, rstrip, single_word, normalized, special; };

struct added_tokens {
    struct added_token *list; /* tokens with no id are left out by their owner */
    size_t count, capacity;
    struct trie trie;         /* of the texts, to places in the list */
    unsigned char begins[256]; /* whether one begins with this byte */
};

/* Copies a token into the list; of two with the same text the first one counts. 0, or -1 with `why`. */
int added_tokens_put(struct added_tokens *tokens, const struct added_token *token, struct reason *why) __attribute__((warn_unused_result));
/* Makes the list ready to be found. 0, or -1 with `why`. */
int added_tokens_build(struct added_tokens *tokens, struct reason *why) __attribute__((warn_unused_result));
void added_tokens_free(struct added_tokens *tokens);

struct added_match {
    const struct added_token *token;
    size_t begin, end; /* what it takes of the text, blanks included */
    size_t resume;     /* where to look for the next one */
};

/* Finds the first token at or behind `from`; `before` is where the one before ended. Whether there is one. */
int added_tokens_next(const struct added_tokens *tokens, const char *text, size_t bytes, size_t from, size_t before, struct added_match *match);

#endif
