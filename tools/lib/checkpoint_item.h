/* One record of a checkpoint, taken apart and checked: a MIDI file's tokens or a text's embedding, in any of the forms met
 * (file_path on the outside or inside metadata; embedding or bert_embedding). */
#ifndef REPRISE_CHECKPOINT_ITEM_H
#define REPRISE_CHECKPOINT_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint_record.h"
#include "hash.h"
#include "known_shards.h"
#include "message.h"
#include "text_buffer.h"
#include "token_input.h"

/* What a tokenizer makes: of how many ids a token is, at least (MuMIDI's have fewer at times) and at most, and whether there is one list a track. */
struct token_form { size_t least, vocabularies; int by_sequence; };

struct checkpoint_item { /* start with {0}; memory is kept from record to record */
    struct text_buffer name;    /* the file's path, or the text */
    struct text_buffer cleaned; /* cleaned_text; empty if there is none */
    struct token_input tokens;  /* as they are nested */
    struct token_layout layout; /* as they lie in a shard, once they are laid out; sequences [layout.sequence_count] */
    uint64_t *sequences;
    size_t sequence_capacity;
    struct text_buffer row;     /* floats [dimension] */
    size_t dimension;
    struct text_buffer members; /* what is recorded of a MIDI file */
    struct text_buffer programs; /* of its tracks, a JSON list; empty if there is none */
    /* what Reprise states; all zeros if it states nothing */
    struct hash key, shard, check;
    int32_t n_tokens;
    struct token_form form; /* stated, or that of the simplest tokenizers */
};

/* 0, or -1 with `why`: it is not such a record. item->name is filled if the record has one. */
int checkpoint_item_parse(struct checkpoint_item *item, enum shard_kind kind, const char *record, struct reason *why) __attribute__((warn_unused_result));
/* Lays its tokens out. 0, or -1 with `why`: they are nested in another way. */
int checkpoint_item_lay_out(struct checkpoint_item *item, const struct token_form *form, struct reason *why) __attribute__((warn_unused_result));
/* Whether the record, its tokens laid out, is what Reprise once wrote, unchanged: 1 or 0, -1 without memory. */
int checkpoint_item_is_intact(const struct checkpoint_item *item, enum shard_kind kind);
void checkpoint_item_free(struct checkpoint_item *item);

#endif
