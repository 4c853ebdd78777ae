#include "embedder.h"

#include <stdlib.h>

#include "reuse.h"
#include "text_shard.h"

void embedder_close(struct embedder *embedder)
{
    encoder_close(embedder->encoder);
    token_batch_free(&embedder->texts);
    free(embedder->distinct);
}

int embedder_open(struct embedder *embedder, const struct model_folder *model, enum precision precision, size_t batch, struct reason *why)
{
    *embedder = (struct embedder){.model = model, .batch = batch};
    return model->result == MODEL_IDS || (embedder->encoder = encoder_open(model, precision, why)) ? 0 : -1;
}

/* Makes *buffer hold `rows` embeddings. */
static int make_rows(float **buffer, size_t *room, size_t rows, size_t dimension, struct reason *why)
{
    if (rows <= *room)
        return 0;
    free(*buffer);
    *room = 0;
    if (!(*buffer = malloc(rows * dimension * sizeof **buffer)))
        return fail(why, "out of memory for %zu embeddings", rows);
    *room = rows;
    return 0;
}

static void count_done(struct embedder *embedder, struct progress_items more)
{
    embedder->items.done += more.done;
    embedder->items.quarantined += more.quarantined;
    embedder->items.copied += more.copied;
    guard_progress(embedder->guard, embedder->items);
}

size_t embedder_width(const struct embedder *embedder)
{
    return embedder->model->result == MODEL_STATES ? embedder->model->hidden : embedder->model->dimension;
}

size_t embedder_rows_before(const struct embedder *embedder, const struct token_batch *texts, size_t i)
{
    return embedder->model->result == MODEL_STATES ? (texts->distinct ? texts->offsets[i] : 0) : i;
}

static void note_text(void *context, const struct gpu_text *text)
{
    (void)context; /* the embedding is where it belongs */
    (void)text;
}

/* The texts of a file of lines: shards go through gpu_pipeline.h. */
static int embed_on_gpu(struct embedder *embedder, const struct token_batch *texts, struct reason *why)
{
    for (size_t i = 0; i < texts->distinct; i++) {
        const struct gpu_text text = {.embedding = embedder->distinct + i * embedder->model->dimension};
        if (gpu_batches_add(embedder->gpu, texts->ids + texts->offsets[i], texts->offsets[i + 1] - texts->offsets[i], text, why) < 0)
            return -1;
    }
    return gpu_batches_run(embedder->gpu, note_text, NULL, why);
}

int embedder_run(struct embedder *embedder, const struct token_batch *texts, int in_shard, struct reason *why)
{
    const size_t width = embedder_width(embedder);
    const int states = embedder->model->result == MODEL_STATES;
    if (make_rows(&embedder->distinct, &embedder->distinct_room, embedder_rows_before(embedder, texts, texts->distinct), width, why) < 0)
        return -1;
    if (embedder->gpu)
        return embed_on_gpu(embedder, texts, why);
    const size_t batch = guard_one_by_one(embedder->guard) ? 1 : embedder->batch;
    for (size_t i = 0; i < texts->distinct; i += batch) {
        const size_t some = texts->distinct - i < batch ? texts->distinct - i : batch;
        size_t done = 0;
        if (in_shard)
            guard_begin(embedder->guard, embedder->items_before + texts->first[i], some);
        float *rows = embedder->distinct + embedder_rows_before(embedder, texts, i) * width;
        if ((states ? encoder_states : encoder_forward)(embedder->encoder, texts->ids, texts->offsets + i, some, rows, why) < 0)
            return -1;
        for (size_t j = i; j < i + some; j++)
            done += texts->uses[j];
        count_done(embedder, (struct progress_items){.done = done});
    }
    guard_begin(embedder->guard, 0, 0);
    return 0;
}

/* ---- a shard ---- */

int embedder_shard(struct embedder *embedder, const struct shard_file *file, struct reason *why)
{
    struct text_shard shard = {.in = file->in, .out = file->out, .first = embedder->items_before};
    struct reuse *reuse = reuse_open(file->reuse, "reprise emb 1", embedder->signature, why);
    if (!reuse)
        return -1;
    const struct text_shard_maker maker = {.model = embedder->model, .tokenizer = embedder->model->tokenizer, .signature = embedder->signature,
                                           .reuse = reuse, .guard = embedder->guard, .memory_limited = embedder->memory_limited};
    int result = text_shard_read(&shard, &maker, why);
    if (result == 0) {
        count_done(embedder, shard.at_once);
        if (embedder->encoder)
            result = embedder_run(embedder, &shard.texts, 1, why);
        else /* ids are there already */
            count_done(embedder, (struct progress_items){.done = shard.texts.texts - shard.at_once.done});
    }
    if (result == 0)
        result = text_shard_write(&shard, &maker, embedder->distinct, why);
    embedder->items_before += shard.list.count;
    text_shard_free(&shard);
    reuse_close(reuse);
    return result;
}
