/* A shard of texts on its way from its list (item_list.h) to its file (shard.h): read and tokenized, embedded by whoever holds it, written. A text that cannot be embedded is
 * quarantined: it keeps its place, with the reason. Several shards may be on their way in several threads at once; text_shard_write is for one thread at a
 * time (atomic_file.c looks at the umask). */
#ifndef REPRISE_TEXT_SHARD_H
#define REPRISE_TEXT_SHARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "item_guard.h"
#include "item_list.h"
#include "message.h"
#include "model_folder.h"
#include "progress.h"
#include "reuse.h"
#include "text_buffer.h"
#include "token_batch.h"

/* The item that a thread has in hand, for a watch over several threads: its number plus 1 (0: none), and the thread's processor time when it took it. */
struct item_in_hand { _Atomic uint64_t item, began; };

/* What shards are made with. */
struct text_shard_maker {
    const struct model_folder *model;
    struct text_tokenizer *tokenizer; /* of this thread alone */
    const char *signature;
    const struct reuse *reuse;        /* NULL: nothing is copied from finished shards */
    struct guard *guard;
    int memory_limited;               /* by ITEM_MEMORY: what needs more is quarantined */
    struct item_in_hand *in_hand;     /* NULL: the guard is told, item by item */
};

struct text_shard {
    const char *in, *out;
    uint64_t first; /* number of its first item, for the guard */
    struct item_list list;
    struct token_batch texts;        /* [items] */
    struct finished_text *finished;  /* [items] */
    struct text_buffer records;
    struct progress_items at_once;   /* what is done without embedding anything: quarantined and copied items */
};

/* Reads the list and tokenizes what is not finished elsewhere. The shard is zeroed but for `in`, `out` and `first`, or was freed before. 0, or -1 with `why`; text_shard_free in either case. */
int text_shard_read(struct text_shard *shard, const struct text_shard_maker *maker, struct reason *why) __attribute__((warn_unused_result));
/* What was computed for the distinct texts, by model->result: embeddings [distinct, model->dimension]; states [tokens, model->hidden], text behind text; nothing for ids.
 * 0, or -1 with `why`. */
int text_shard_write(struct text_shard *shard, const struct text_shard_maker *maker, const float *computed, struct reason *why) __attribute__((warn_unused_result));
void text_shard_free(struct text_shard *shard);

#endif
