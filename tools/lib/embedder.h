/* Texts to what a model gives for them, on the CPU or on a GPU: the one place where text2emb's batches are made, for shards (a shard's texts are guarded one by one,
 * item_guard.h) and for files of lines (text_lines.h) alike. Identical texts are computed once. */
#ifndef REPRISE_EMBEDDER_H
#define REPRISE_EMBEDDER_H

#include "../../kernels/encoder.h"
#include "gpu_batches.h"
#include "item_guard.h"
#include "message.h"
#include "model_folder.h"
#include "progress.h"
#include "shard_files.h"
#include "token_batch.h"

/* Everything that is kept from file to file. */
struct embedder {
    const struct model_folder *model;
    struct encoder *encoder; /* NULL where only ids are wanted, or a GPU computes */
    struct gpu_batches *gpu; /* NULL: the CPU computes */
    size_t batch;
    struct token_batch texts; /* of a text file */
    float *distinct; /* [distinct texts, dimension], or the states [tokens, hidden] of all of them */
    size_t distinct_room;
    struct guard *guard;
    /* for shards only */
    int memory_limited;          /* by ITEM_MEMORY */
    const char *signature;
    uint64_t items_before;       /* items of earlier shards of this call */
    struct progress_items items; /* what is done of this call */
};

/* For the CPU. (For a GPU, a struct embedder with model, gpu and guard will do.) 0, or -1 with `why`. The model must outlive it. */
int embedder_open(struct embedder *embedder, const struct model_folder *model, enum precision precision, size_t batch, struct reason *why)
    __attribute__((warn_unused_result));
void embedder_close(struct embedder *embedder);

/* Fills embedder->distinct with what is wanted of the distinct texts, batch by batch. 0, or -1 with `why`. */
int embedder_run(struct embedder *embedder, const struct token_batch *texts, int in_shard, struct reason *why) __attribute__((warn_unused_result));
/* The numbers in a row of embedder->distinct, and the rows before those of distinct text i: an embedding is one, states are one for each token. */
size_t embedder_width(const struct embedder *embedder);
size_t embedder_rows_before(const struct embedder *embedder, const struct token_batch *texts, size_t i);

/* A shard list to a shard. 0, or -1 with `why`. */
int embedder_shard(struct embedder *embedder, const struct shard_file *file, struct reason *why) __attribute__((warn_unused_result));

#endif
