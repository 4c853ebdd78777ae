/* One record of a checkpoint, taken apart and checked: a MIDI file's tokens or a text's embedding, in any of the forms met
 * (file_path on the outside or inside metadata; embedding or bert_embedding). */
#ifndef REPRISE_CHECKPOINT_ITEM_H
#define REPRISE_CHECKPOINT_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "known_shards.h"
#include "message.h"
#include "token_list.h"
#include "text_buffer.h"

struct checkpoint_item { /* start with {0}; memory is kept from record to record */
    struct text_buffer name;    /* the file's path, or the text */
    struct text_buffer cleaned; /* cleaned_text; empty if there is none */
    struct token_list tokens;
    struct text_buffer row;     /* floats [dimension] */
    size_t dimension;
    struct text_buffer members; /* what is recorded of a MIDI file */
    /* what Reprise states; all zeros if it states nothing */
    struct hash key, shard, check;
    int32_t n_tokens;
};

/* 0, or -1 with `why`: it is not such a record. item->name is filled if the record has one. */
int checkpoint_item_parse(struct checkpoint_item *item, enum shard_kind kind, const char *record, struct reason *why) __attribute__((warn_unused_result));
/* Whether the record is what Reprise once wrote, unchanged: 1 or 0, -1 without memory. */
int checkpoint_item_is_intact(const struct checkpoint_item *item, enum shard_kind kind);
void checkpoint_item_free(struct checkpoint_item *item);

#endif
