/* The contents of a .tok file while it is made: the tokens of all items end to end, and a record of each (shard.h says what the file looks like). */
#ifndef REPRISE_TOK_SHARD_H
#define REPRISE_TOK_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"
#include "shard.h"
#include "text_buffer.h"
#include "token_list.h"

#define TOK_FORMAT "reprise tok 1"

struct tok_shard {
    struct token_list tokens;
    int columns;             /* ids of a token; 0 is taken for 1. Set it first */
    int64_t *item_ends;      /* [items]: into the tokens, row by row */
    int64_t *sequence_ends;  /* [sequences]: likewise */
    int64_t *item_sequences; /* [items]: where an item's sequences end, in sequence_ends */
    size_t items, sequences;
    size_t end_capacity, sequence_capacity, item_sequence_capacity;
    struct text_buffer records; /* the JSON list, not yet closed */
};

/* The sequence that begins behind the one before it ends with the last token now. */
int tok_shard_end_sequence(struct tok_shard *shard, struct reason *why) __attribute__((warn_unused_result));
/* Appends these tokens as a sequence: ids [rows, columns]. */
int tok_shard_add_sequence(struct tok_shard *shard, const int32_t *ids, size_t rows, struct reason *why) __attribute__((warn_unused_result));
/* The item that begins behind the one before it ends here. `record`: members of its JSON object, without braces. */
int tok_shard_end_item(struct tok_shard *shard, struct hash key, const char *record, struct reason *why) __attribute__((warn_unused_result));
/* Takes back the tokens and sequences since the last item ended, and quarantines the item: no tokens, and the reason in its record. */
int tok_shard_quarantine(struct tok_shard *shard, struct hash key, const char *error, struct reason *why) __attribute__((warn_unused_result));
/* The next item is one of a finished shard with the same signature: its tokens and its record are copied. */
int tok_shard_copy_item(struct tok_shard *shard, const struct shard *from, size_t item, int by_sequence, struct reason *why) __attribute__((warn_unused_result));

/* Writes the file. `by_sequence`: each item is a list of sequences, not one. */
int tok_shard_write(struct tok_shard *shard, const char *path, const char *signature, int by_sequence, struct reason *why) __attribute__((warn_unused_result));
void tok_shard_free(struct tok_shard *shard);

#endif
