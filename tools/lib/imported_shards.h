/* Items taken over from a checkpoint become ordinary shards, and known ones (known_shards.h), so that plan names them to the programs as a
 * place to copy from. Items that stood in one shard, complete and in order, become that very shard again, because its name is the hash of its keys. */
#ifndef REPRISE_IMPORTED_SHARDS_H
#define REPRISE_IMPORTED_SHARDS_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint_record.h"
#include "hash.h"
#include "known_shards.h"
#include "message.h"
#include "text_buffer.h"
#include "tok_shard.h"

enum { IMPORTED_SHARD_ITEMS = 4096 }; /* of one shard, at most; held in memory */

struct imported_shards {
    enum shard_kind kind;
    const char *work, *signature;
    struct known_shards *known;
    /* the shard that is being gathered */
    struct hash group; /* the shard its items say they stood in; zeros: none */
    struct tok_shard tok;
    struct text_buffer records, rows, n_tokens, keys; /* of texts: JSON, floats [count, dimension], int32 [count]; struct hash [count] */
    size_t count, dimension;
    int by_sequence; /* of MIDI: one list a track */
};

/* The next item stood in the shard `group` (zeros: in none that is known). Writes what is gathered if it is of another. */
int imported_shards_next(struct imported_shards *shards, struct hash group, struct reason *why) __attribute__((warn_unused_result));
/* members: what is recorded of the file, JSON without braces. 1 with `why`: the tokens lie in another way than the others. */
int imported_shards_add_tokens(struct imported_shards *shards, struct hash key, const struct token_layout *tokens, const char *members, struct reason *why)
    __attribute__((warn_unused_result));
/* 1: the row has not the dimension of the others. */
int imported_shards_add_embedding(struct imported_shards *shards, struct hash key, const float *row, size_t dimension, int32_t n_tokens, struct reason *why)
    __attribute__((warn_unused_result));
/* Writes what is gathered. */
int imported_shards_flush(struct imported_shards *shards, struct reason *why) __attribute__((warn_unused_result));
void imported_shards_free(struct imported_shards *shards);

#endif
