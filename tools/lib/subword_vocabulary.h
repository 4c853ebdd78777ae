/* The vocabulary of a subword model: token texts and ids, from the cJSON `model` of a tokenizer.json (an object of ids by text, as BPE and WordPiece have it).
 *
 * Promise: every id is a whole number from 0 to `SUBWORD_IDS - 1`; a token longer than SUBWORD_BYTES is refused. */
#ifndef REPRISE_SUBWORD_VOCABULARY_H
#define REPRISE_SUBWORD_VOCABULARY_H

#include <cjson/cJSON.h>

#include "trie.h"

#define SUBWORD_IDS 16777216
#define SUBWORD_BYTES 65536

/* Reads model.vocab. 0, or -1 with `why`. */
int subword_vocabulary_read(const cJSON *model, struct trie *trie, struct reason *why) __attribute__((warn_unused_result));

/* A member that is text, or absent or null: then NULL. -1 with `why` if it is something else. */
int subword_text(const cJSON *model, const char *name, const char **text, struct reason *why) __attribute__((warn_unused_result));
/* A member that is true or false; false where it is absent or null. */
int subword_flag(const cJSON *model, const char *name, int *flag, struct reason *why) __attribute__((warn_unused_result));

/* The ids of the 256 byte tokens <0x00> … <0xFF>, -1 for those that are not there. */
void subword_byte_tokens(const struct trie *trie, int32_t ids[256]);

#endif
