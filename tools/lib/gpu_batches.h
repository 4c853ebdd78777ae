/* Texts on their way through a GPU: a queue of token ids from any shards, cut into batches by a budget of tokens, several under way at once. */
#ifndef REPRISE_GPU_BATCHES_H
#define REPRISE_GPU_BATCHES_H

#include <stddef.h>
#include <stdint.h>

#include "../../kernels/encoder.h"
#include "message.h"

/* Where a text's embedding goes, and whose it is. */
struct gpu_text { void *owner; float *embedding; size_t uses; };

/* One batch under way. */
struct gpu_batch { struct gpu_text *texts; size_t count, room; };

struct gpu_batches {
    struct gpu_encoder *encoder;
    size_t dimension, budget; /* tokens of a batch, at most */
    /* the queue: text i has ids[offsets[i]] .. ids[offsets[i + 1] - 1]; the first `taken` are gone */
    int32_t *ids;
    size_t *offsets;
    struct gpu_text *texts;
    size_t count, taken, text_room, id_room;
    struct gpu_batch batch[GPU_SLOTS];
    unsigned oldest, under_way; /* slots are used in turn */
    float *embeddings;          /* [a batch's texts, dimension] */
    size_t embedding_room;
    double begun, ended;        /* the first batch, and the last one so far: seconds of a clock */
};

int gpu_batches_open(struct gpu_batches *batches, struct gpu_encoder *encoder, size_t dimension, size_t budget, struct reason *why) __attribute__((warn_unused_result));
void gpu_batches_close(struct gpu_batches *batches);
/* Says (LOG_LEVEL=debug) how long it took from the first batch to the last, and which share of that the GPU was at work. */
void gpu_batches_report(const struct gpu_batches *batches);

/* Puts a text into the queue. */
int gpu_batches_add(struct gpu_batches *batches, const int32_t *ids, size_t count, struct gpu_text text, struct reason *why) __attribute__((warn_unused_result));
/* Tokens that wait in the queue. */
size_t gpu_batches_waiting(const struct gpu_batches *batches);
/* Begins a batch of what waits, if a slot is free and anything waits. Without memory for it the budget is halved. */
int gpu_batches_begin(struct gpu_batches *batches, struct reason *why) __attribute__((warn_unused_result));
/* Waits for the oldest batch and hands out its embeddings: `done` is called with every text. */
typedef void gpu_text_done(void *context, const struct gpu_text *text);
int gpu_batches_finish(struct gpu_batches *batches, gpu_text_done *done, void *context, struct reason *why) __attribute__((warn_unused_result));
/* Everything that waits or is under way, to its end. */
int gpu_batches_run(struct gpu_batches *batches, gpu_text_done *done, void *context, struct reason *why) __attribute__((warn_unused_result));

#endif
