#include "gpu_batches.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int gpu_batches_open(struct gpu_batches *batches, struct gpu_encoder *encoder, size_t dimension, size_t budget, struct reason *why)
{
    *batches = (struct gpu_batches){.encoder = encoder, .dimension = dimension, .budget = budget};
    batches->offsets = calloc(1, sizeof *batches->offsets);
    return batches->offsets ? 0 : fail(why, "out of memory");
}

void gpu_batches_close(struct gpu_batches *batches)
{
    for (unsigned i = 0; i < GPU_SLOTS; i++)
        free(batches->batch[i].texts);
    free(batches->ids);
    free(batches->offsets);
    free(batches->texts);
    free(batches->embeddings);
    *batches = (struct gpu_batches){0};
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void gpu_batches_report(const struct gpu_batches *batches)
{
    const double seconds = batches->ended - batches->begun;
    if (batches->ended > 0 && seconds > 0)
        message(MESSAGE_DEBUG, NULL, "the GPU was busy %.0f %% of %.3f s, from the first batch to the last", 100 * gpu_encoder_busy(batches->encoder) / seconds, seconds);
}

/* ---- the queue ---- */

size_t gpu_batches_waiting(const struct gpu_batches *batches)
{
    return batches->offsets[batches->count] - batches->offsets[batches->taken];
}

/* Moves what waits to the front, once as much is gone. */
static void close_ranks(struct gpu_batches *batches)
{
    const size_t first = batches->offsets[batches->taken], left = batches->count - batches->taken;
    if (batches->taken == 0 || batches->taken < left)
        return;
    memmove(batches->ids, batches->ids + first, (batches->offsets[batches->count] - first) * sizeof *batches->ids);
    memmove(batches->texts, batches->texts + batches->taken, left * sizeof *batches->texts);
    for (size_t i = 0; i <= left; i++)
        batches->offsets[i] = batches->offsets[batches->taken + i] - first;
    batches->count = left;
    batches->taken = 0;
}

static int make_room(struct gpu_batches *batches, size_t ids, struct reason *why)
{
    if (batches->count == batches->text_room) {
        const size_t room = 2 * batches->text_room + 256;
        size_t *offsets = realloc(batches->offsets, (room + 1) * sizeof *offsets);
        if (offsets)
            batches->offsets = offsets;
        struct gpu_text *texts = realloc(batches->texts, room * sizeof *texts);
        if (texts)
            batches->texts = texts;
        if (!offsets || !texts)
            return fail(why, "out of memory");
        batches->text_room = room;
    }
    const size_t used = batches->offsets[batches->count];
    if (used + ids > batches->id_room) {
        const size_t room = 2 * batches->id_room + ids;
        int32_t *grown = realloc(batches->ids, room * sizeof *grown);
        if (!grown)
            return fail(why, "out of memory");
        batches->ids = grown;
        batches->id_room = room;
    }
    return 0;
}

int gpu_batches_add(struct gpu_batches *batches, const int32_t *ids, size_t count, struct gpu_text text, struct reason *why)
{
    close_ranks(batches);
    if (make_room(batches, count, why) < 0)
        return -1;
    const size_t at = batches->offsets[batches->count];
    memcpy(batches->ids + at, ids, count * sizeof *ids);
    batches->texts[batches->count++] = text;
    batches->offsets[batches->count] = at + count;
    return 0;
}

/* ---- batches ---- */

/* As many of the waiting texts as the budget allows; at least one. */
static size_t cut(const struct gpu_batches *batches)
{
    size_t end = batches->taken + 1;
    while (end < batches->count && batches->offsets[end + 1] - batches->offsets[batches->taken] <= batches->budget)
        end++;
    return end - batches->taken;
}

static int note_texts(struct gpu_batch *batch, const struct gpu_text *texts, size_t count, struct reason *why)
{
    if (count > batch->room) {
        free(batch->texts);
        batch->room = 0;
        if (!(batch->texts = malloc(count * sizeof *batch->texts)))
            return fail(why, "out of memory");
        batch->room = count;
    }
    memcpy(batch->texts, texts, count * sizeof *texts);
    batch->count = count;
    return 0;
}

/* Half of what was too much; 0: there is no less. */
static int ask_for_less(struct gpu_batches *batches, size_t count, const struct reason *why)
{
    const size_t tokens = batches->offsets[batches->taken + count] - batches->offsets[batches->taken];
    if (count == 1)
        return 0;
    batches->budget = tokens / 2;
    message(MESSAGE_INFO, NULL, "the GPU has no memory for a batch of %zu tokens (%s); taking %zu at a time", tokens, why->text, batches->budget);
    return 1;
}

int gpu_batches_begin(struct gpu_batches *batches, struct reason *why)
{
    while (batches->under_way < GPU_SLOTS && batches->taken < batches->count) {
        const unsigned slot = (batches->oldest + batches->under_way) % GPU_SLOTS;
        const size_t count = cut(batches);
        if (batches->begun <= 0)
            batches->begun = now();
        if (note_texts(&batches->batch[slot], batches->texts + batches->taken, count, why) < 0)
            return -1;
        const int result = gpu_encoder_begin(batches->encoder, slot, batches->ids, batches->offsets + batches->taken, count, why);
        if (result == 0) {
            batches->taken += count;
            batches->under_way++;
            return 0;
        }
        if (result != GPU_NO_MEMORY || !ask_for_less(batches, count, why))
            return -1;
    }
    return 0;
}

int gpu_batches_finish(struct gpu_batches *batches, gpu_text_done *done, void *context, struct reason *why)
{
    struct gpu_batch *batch = &batches->batch[batches->oldest];
    if (batches->under_way == 0)
        return 0;
    if (batch->count > batches->embedding_room) {
        free(batches->embeddings);
        batches->embedding_room = 0;
        if (!(batches->embeddings = malloc(batch->count * batches->dimension * sizeof *batches->embeddings)))
            return fail(why, "out of memory");
        batches->embedding_room = batch->count;
    }
    const unsigned slot = batches->oldest;
    batches->oldest = (slot + 1) % GPU_SLOTS;
    batches->under_way--;
    if (gpu_encoder_finish(batches->encoder, slot, batches->embeddings, why) < 0)
        return -1;
    batches->ended = now();
    for (size_t i = 0; i < batch->count; i++) {
        memcpy(batch->texts[i].embedding, batches->embeddings + i * batches->dimension, batches->dimension * sizeof *batches->embeddings);
        done(context, &batch->texts[i]);
    }
    return 0;
}

int gpu_batches_run(struct gpu_batches *batches, gpu_text_done *done, void *context, struct reason *why)
{
    while (batches->under_way || batches->taken < batches->count) {
        if (batches->under_way < GPU_SLOTS && batches->taken < batches->count ? gpu_batches_begin(batches, why) < 0 : gpu_batches_finish(batches, done, context, why) < 0)
            return -1;
    }
    return 0;
}
