/* The texts of a shard (or of some lines of a file) as token ids, end to end; identical texts are kept, and so computed, once. */
#ifndef REPRISE_TOKEN_BATCH_H
#define REPRISE_TOKEN_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"
#include "text_buffer.h"

#define TOKEN_BATCH_NONE SIZE_MAX

struct text_tokenizer; /* text_tokenizer.h */

struct token_batch {
    size_t texts, distinct;
    size_t *distinct_of; /* [texts]: which of the distinct ones it is; TOKEN_BATCH_NONE: it has no tokens */
    size_t *uses;        /* [distinct]: how many texts are this one */
    size_t *first;       /* [distinct]: the first text that is this one */
    size_t *offsets;     /* [distinct + 1] into ids */
    int32_t *ids;
    /* storage */
    struct hash *keys;   /* [distinct] */
    size_t *slots;       /* hash table of indices into keys, plus 1; 0: free */
    size_t slot_count, text_room, distinct_room, id_room;
    struct text_buffer prompted;
};

/* Starts anew, keeping the memory (begin with {0}). */
void token_batch_clear(struct token_batch *batch);
void token_batch_free(struct token_batch *batch);

/* Adds a text with the prompt ("" for none) before it, cut to max_tokens. 0; 1: it is empty or not UTF-8, as `why` says, and is added as a place without tokens; -1: out of memory. */
int token_batch_add(struct token_batch *batch, struct text_tokenizer *tokenizer, const char *prompt, const char *text, size_t bytes, size_t max_tokens, struct reason *why)
    __attribute__((warn_unused_result));
/* Adds a place without tokens. */
int token_batch_add_none(struct token_batch *batch, struct reason *why) __attribute__((warn_unused_result));
/* The number of tokens of text i, 0 if it has none. */
size_t token_batch_tokens(const struct token_batch *batch, size_t text);

#endif
