/* The records of a JSON checkpoint: the form that the earlier Python system reads, and what Reprise adds so that it can take its own work back.
 *
 * The file states under "reprise" what its records were made with: {"format":"reprise checkpoint 1","kind":"midi" or "text","signature":"…"}. Each record
 * states the hash of the content it was made from, the shard it stood in, and a hash of the result itself, so that a record which was
 * edited or damaged is noticed: "reprise":{"key":"…","shard":"…","check":"…"} (a text's also "n_tokens"; where a token is a list of ids, "vocabularies": their number; where there
 * is a list a track, "sequences": true). Readers that do not know this object pass it over. */
#ifndef REPRISE_CHECKPOINT_RECORD_H
#define REPRISE_CHECKPOINT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "json_stream.h"
#include "text_buffer.h"

#define CHECKPOINT_FORMAT "reprise checkpoint 1"

/* How an item's tokens lie: ids [rows, vocabularies], shorter rows filled up with TOKEN_NONE, and with one list a track the rows of each. */
struct token_layout { const int32_t *ids; size_t vocabularies; const uint64_t *sequences; /* [sequence_count], rows; NULL: one sequence */ size_t rows, sequence_count; };

/* The check of a result: tokens and the members recorded of the file (without braces); an embedding [dimension] and its number of tokens. 0, -1 without memory. */
int check_of_tokens(struct hash key, const struct token_layout *tokens, const char *members, size_t length, struct hash *check) __attribute__((warn_unused_result));
int check_of_embedding(struct hash key, const float *embedding, size_t dimension, int32_t n_tokens, struct hash *check) __attribute__((warn_unused_result));

/* Appends what is recorded of a MIDI file, as JSON members without braces, from an object that holds more: all but key, file_path and file_name. */
void add_recorded_members(struct text_buffer *out, const char *object);

#endif
