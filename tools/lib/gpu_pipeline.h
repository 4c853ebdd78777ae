/* Many shards through one GPU, in one process: threads read and tokenize shards, and write them; the calling thread packs texts of any shards into batches by a budget of
 * tokens and keeps several batches under way. Each shard is written as soon as its last text is embedded, so that whoever kills the process loses those on
 * their way and nothing else.
 *
 * Crashes cost what they cost on the CPU (item_guard.h). After a death with several items in hand everything goes one by one: one shard, one text at a
 * time, so that a second death names its item. An item that takes too long is found by this thread's watch over the others, and left to the guard. A device
 * without memory for a batch gets smaller ones: half the budget, until a single text does not fit.
 *
 * gpu_pipeline_run is called in a child of guard_run, which may be started again: what earlier children finished is known from `states`, which the
 * caller maps for all of them. */
#ifndef REPRISE_GPU_PIPELINE_H
#define REPRISE_GPU_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "../../kernels/encoder.h"
#include "item_guard.h"
#include "message.h"
#include "model_folder.h"
#include "shard_files.h"

/* What became of a shard, kept from child to child. */
struct gpu_shard_state {
    _Atomic int finished;         /* written, or given up after an error that was told */
    struct progress_items counts; /* of a finished one */
};

struct gpu_pipeline {
    const char *model_path;
    const struct model_folder *model;
    const char *signature;
    const struct shard_file *shards;
    struct gpu_shard_state *states; /* [count] */
    size_t count;
    unsigned threads; /* that read and write, at least 1 */
    size_t tokens;    /* of a batch, at most; at least model->max_tokens */
    double item_seconds; /* of processor time for one item; 0: no limit */
};

/* Embeds every shard that is not finished. 0; 1: some shards failed, as was told; -1 with `why`: the device failed. */
int gpu_pipeline_run(const struct gpu_pipeline *pipeline, struct gpu_encoder *encoder, struct guard *guard, struct reason *why) __attribute__((warn_unused_result));

#endif
