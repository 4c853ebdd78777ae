#include "gpu_pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gpu_batches.h"
#include "text_shard.h"
#include "text_tokenizer.h"

enum { MOST_THREADS = 64, ON_THEIR_WAY = 8 }; /* shards that may be on their way for each thread: what is in memory */

/* A shard on its way. */
struct passage {
    size_t index;
    struct text_shard shard;
    struct reuse *reuse;
    float *embeddings;    /* [distinct texts, dimension] */
    size_t left;          /* texts that are not embedded yet */
    size_t done;          /* items that are */
    struct passage *next; /* in the list it stands in */
};

struct passage_list { struct passage *first, **end; };

/* What the threads share, under `lock`. */
struct pipeline {
    const struct gpu_pipeline *settings;
    struct guard *guard;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next, on_their_way;      /* the next shard to read; those read and not finished */
    struct passage_list read, embedded;
    int writing, stop, failed;      /* whether somebody writes; nothing new is begun; some shard failed */
    int broken;                     /* a thread could not begin, for this reason */
    struct reason broken_why;
};

struct worker {
    struct pipeline *pipeline;
    struct model_folder *tokenizing; /* a tokenizer of its own */
    struct item_in_hand in_hand;
    pthread_t thread;
};

/* ---- lists ---- */

static void list_clear(struct passage_list *list)
{
    *list = (struct passage_list){NULL, NULL};
    list->end = &list->first;
}

static void list_put(struct passage_list *list, struct passage *passage)
{
    passage->next = NULL;
    *list->end = passage;
    list->end = &passage->next;
}

static struct passage *list_take(struct passage_list *list)
{
    struct passage *passage = list->first;
    if (passage && !(list->first = passage->next))
        list->end = &list->first;
    return passage;
}

static void passage_free(struct passage *passage)
{
    text_shard_free(&passage->shard);
    reuse_close(passage->reuse);
    free(passage->embeddings);
    free(passage);
}

/* ---- one shard: what a thread does with it, without the lock ---- */

static struct text_shard_maker maker_of(const struct pipeline *pipeline, const struct passage *passage, struct text_tokenizer *tokenizer, struct item_in_hand *in_hand)
{
    const struct gpu_pipeline *settings = pipeline->settings;
    return (struct text_shard_maker){.model = settings->model, .tokenizer = tokenizer, .signature = settings->signature, .reuse = passage->reuse,
                                     .guard = pipeline->guard, .in_hand = in_hand};
}

static int read_passage(struct pipeline *pipeline, struct passage *passage, struct text_tokenizer *tokenizer, struct item_in_hand *in_hand, struct reason *why)
{
    const struct shard_file *shard = &pipeline->settings->shards[passage->index];
    passage->shard = (struct text_shard){.in = shard->in, .out = shard->out, .first = (uint64_t)passage->index << 32};
    if (!(passage->reuse = reuse_open(shard->reuse, "reprise emb 1", pipeline->settings->signature, why)))
        return -1;
    const struct text_shard_maker maker = maker_of(pipeline, passage, tokenizer, in_hand);
    if (text_shard_read(&passage->shard, &maker, why) < 0)
        return -1;
    passage->left = passage->shard.texts.distinct;
    passage->embeddings = malloc(passage->left * pipeline->settings->model->dimension * sizeof *passage->embeddings + 1);
    return passage->embeddings ? 0 : fail(why, "out of memory");
}

static int write_passage(const struct pipeline *pipeline, struct passage *passage, struct reason *why)
{
    const struct text_shard_maker maker = maker_of(pipeline, passage, NULL, NULL);
    return text_shard_write(&passage->shard, &maker, passage->embeddings, why);
}

/* The shard is done with, written or not. */
static void note_end(struct pipeline *pipeline, const struct passage *passage, int result, const struct reason *why)
{
    struct gpu_shard_state *state = &pipeline->settings->states[passage->index];
    if (result < 0) {
        message(MESSAGE_ERROR, passage->shard.in, "%s", why->text);
        pipeline->failed = 1;
    } else {
        state->counts = passage->shard.at_once;
        state->counts.done += passage->done;
    }
    atomic_store(&state->finished, result < 0 ? -1 : 1);
}

/* ---- the threads ---- */

/* A thread holds the lock but while it reads or writes. */
static void write_next(struct pipeline *pipeline)
{
    struct passage *passage = list_take(&pipeline->embedded);
    struct reason why;
    pipeline->writing = 1;
    pthread_mutex_unlock(&pipeline->lock);
    const int result = write_passage(pipeline, passage, &why);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->writing = 0;
    pipeline->on_their_way--;
    note_end(pipeline, passage, result, &why);
    passage_free(passage);
}

static void read_next(struct pipeline *pipeline, struct worker *worker)
{
    struct passage *passage = calloc(1, sizeof *passage);
    struct reason why;
    const size_t index = pipeline->next++;
    if (!passage) {
        message(MESSAGE_ERROR, pipeline->settings->shards[index].in, "out of memory");
        pipeline->failed = 1;
        return;
    }
    passage->index = index;
    pipeline->on_their_way++;
    pthread_mutex_unlock(&pipeline->lock);
    const int result = read_passage(pipeline, passage, worker->tokenizing->tokenizer, &worker->in_hand, &why);
    atomic_store(&worker->in_hand.item, 0);
    pthread_mutex_lock(&pipeline->lock);
    if (result == 0) {
        list_put(&pipeline->read, passage);
        return;
    }
    pipeline->on_their_way--;
    note_end(pipeline, passage, result, &why);
    passage_free(passage);
}

static void skip_finished(struct pipeline *pipeline)
{
    while (pipeline->next < pipeline->settings->count && atomic_load(&pipeline->settings->states[pipeline->next].finished))
        pipeline->next++;
}

static int all_is_done(const struct pipeline *pipeline)
{
    return pipeline->next >= pipeline->settings->count && pipeline->on_their_way == 0;
}

/* Each thread reads a tokenizer of its own, side by side with the others, as the first batch waits for it. */
static void open_tokenizer(struct pipeline *pipeline, struct worker *worker)
{
    const struct model_settings tokenizer_alone = {.pooling = -1, .normalize = -1, .result = MODEL_IDS};
    struct reason why;
    worker->tokenizing = model_folder_open(pipeline->settings->model_path, &tokenizer_alone, &why);
    if (worker->tokenizing)
        return;
    pthread_mutex_lock(&pipeline->lock);
    pipeline->broken = 1;
    pipeline->broken_why = why;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

static int is_broken(struct pipeline *pipeline, struct reason *why)
{
    pthread_mutex_lock(&pipeline->lock);
    const int broken = pipeline->broken;
    if (broken)
        *why = pipeline->broken_why;
    pthread_mutex_unlock(&pipeline->lock);
    return broken;
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct pipeline *pipeline = worker->pipeline;
    const size_t most = (size_t)pipeline->settings->threads * ON_THEIR_WAY;
    open_tokenizer(pipeline, worker);
    pthread_mutex_lock(&pipeline->lock);
    for (;;) {
        skip_finished(pipeline);
        if (pipeline->embedded.first && !pipeline->writing)
            write_next(pipeline);
        else if (pipeline->stop || pipeline->broken || all_is_done(pipeline))
            break;
        else if (pipeline->next < pipeline->settings->count && pipeline->on_their_way < most)
            read_next(pipeline, worker);
        else {
            pthread_cond_wait(&pipeline->changed, &pipeline->lock);
            continue;
        }
        pthread_cond_broadcast(&pipeline->changed);
    }
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

/* ---- the watch ---- */

/* An item that takes too long is put into the guard's hands, and this thread waits for what comes of it: the guard measures for itself, and kills. */
static void watch(const struct pipeline *pipeline, const struct worker *workers)
{
    const double seconds = pipeline->settings->item_seconds;
    for (unsigned i = 0; seconds > 0 && i < pipeline->settings->threads; i++) {
        clockid_t clock;
        struct timespec time;
        const uint64_t item = atomic_load(&workers[i].in_hand.item), began = atomic_load(&workers[i].in_hand.began);
        if (item == 0 || pthread_getcpuclockid(workers[i].thread, &clock) != 0 || clock_gettime(clock, &time) != 0)
            continue;
        if ((double)time.tv_sec + (double)time.tv_nsec * 1e-9 - (double)began * 1e-9 <= seconds || atomic_load(&workers[i].in_hand.item) != item)
            continue;
        guard_begin(pipeline->guard, item - 1, 1);
        while (atomic_load(&workers[i].in_hand.item) == item)
            usleep(10000);
        guard_begin(pipeline->guard, 0, SIZE_MAX); /* it came to an end after all */
    }
}

/* ---- the caller's part: batches ---- */

struct batching {
    struct pipeline *pipeline;
    struct gpu_batches batches;
    struct progress_items items; /* done in this call and by earlier children */
};

static void hand_to_writer(struct pipeline *pipeline, struct passage *passage)
{
    pthread_mutex_lock(&pipeline->lock);
    list_put(&pipeline->embedded, passage);
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

static void text_done(void *context, const struct gpu_text *text)
{
    struct batching *batching = context;
    struct passage *passage = text->owner;
    passage->left--;
    passage->done += text->uses;
    batching->items.done += text->uses;
    if (passage->left == 0)
        hand_to_writer(batching->pipeline, passage);
}

static int put_texts(struct batching *batching, struct passage *passage, struct reason *why)
{
    const struct token_batch *texts = &passage->shard.texts;
    batching->items.done += passage->shard.at_once.done;
    batching->items.quarantined += passage->shard.at_once.quarantined;
    batching->items.copied += passage->shard.at_once.copied;
    for (size_t i = 0; i < texts->distinct; i++) {
        const struct gpu_text text = {.owner = passage, .embedding = passage->embeddings + i * batching->batches.dimension, .uses = texts->uses[i]};
        if (gpu_batches_add(&batching->batches, texts->ids + texts->offsets[i], texts->offsets[i + 1] - texts->offsets[i], text, why) < 0)
            return -1;
    }
    if (texts->distinct == 0)
        hand_to_writer(batching->pipeline, passage);
    return 0;
}

/* A shard that was read, if there is one; with `wait`, a moment's patience. *more: whether any will come. */
static struct passage *take_read(struct pipeline *pipeline, int wait, int *more)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&pipeline->lock);
    if (wait && !pipeline->read.first && !all_is_done(pipeline))
        pthread_cond_timedwait(&pipeline->changed, &pipeline->lock, &until);
    struct passage *passage = list_take(&pipeline->read);
    *more = passage || !all_is_done(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    return passage;
}

/* Keeps the device at work: a new batch as soon as a full one waits or the device has nothing, and no waiting for shards while a batch is under way. */
static int run_batches(struct batching *batching, const struct worker *workers, struct reason *why)
{
    struct gpu_batches *batches = &batching->batches;
    for (int more = 1; more || batches->under_way || gpu_batches_waiting(batches);) {
        const int idle = batches->under_way == 0, hungry = gpu_batches_waiting(batches) < batches->budget;
        struct passage *passage = NULL;
        if (is_broken(batching->pipeline, why))
            return -1;
        watch(batching->pipeline, workers);
        if (hungry && (passage = take_read(batching->pipeline, idle && gpu_batches_waiting(batches) == 0, &more))) {
            if (put_texts(batching, passage, why) < 0)
                return -1;
        } else if (gpu_batches_waiting(batches) && batches->under_way < GPU_SLOTS && (!hungry || idle)) {
            if (gpu_batches_begin(batches, why) < 0)
                return -1;
        } else if (batches->under_way && gpu_batches_finish(batches, text_done, batching, why) < 0) {
            return -1;
        }
        guard_progress(batching->pipeline->guard, batching->items);
    }
    return 0;
}

/* What earlier children finished counts as done. */
static struct progress_items done_before(const struct gpu_pipeline *settings)
{
    struct progress_items items = {0};
    for (size_t i = 0; i < settings->count; i++)
        if (atomic_load(&settings->states[i].finished) > 0) {
            items.done += settings->states[i].counts.done;
            items.quarantined += settings->states[i].counts.quarantined;
            items.copied += settings->states[i].counts.copied;
        }
    return items;
}

static int any_failed(const struct gpu_pipeline *settings)
{
    int failed = 0;
    for (size_t i = 0; i < settings->count; i++)
        failed |= atomic_load(&settings->states[i].finished) < 0;
    return failed;
}

/* ---- side by side ---- */

static int start_workers(struct pipeline *pipeline, struct worker *workers, unsigned *started, struct reason *why)
{
    for (*started = 0; *started < pipeline->settings->threads; (*started)++) {
        struct worker *worker = &workers[*started];
        worker->pipeline = pipeline;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            return fail_errno(why, "cannot start a thread");
    }
    return 0;
}

static void stop_workers(struct pipeline *pipeline, struct worker *workers, unsigned started)
{
    pthread_mutex_lock(&pipeline->lock);
    pipeline->stop = 1;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        model_folder_close(workers[i].tokenizing);
    }
}

static int run_side_by_side(struct batching *batching, struct reason *why)
{
    struct pipeline *pipeline = batching->pipeline;
    struct worker *workers = calloc(pipeline->settings->threads, sizeof *workers);
    unsigned started = 0;
    if (!workers)
        return fail(why, "out of memory");
    guard_begin(pipeline->guard, 0, SIZE_MAX); /* everything is in hand: a death leads to one by one */
    int result = start_workers(pipeline, workers, &started, why);
    if (result == 0)
        result = run_batches(batching, workers, why);
    stop_workers(pipeline, workers, started);
    guard_begin(pipeline->guard, 0, 0);
    free(workers);
    return result;
}

/* ---- one by one ---- */

static int embed_alone(struct batching *batching, struct passage *passage, struct reason *why)
{
    const struct token_batch *texts = &passage->shard.texts;
    for (size_t i = 0; i < texts->distinct; i++) {
        guard_begin(batching->pipeline->guard, passage->shard.first + texts->first[i], 1);
        if (gpu_encoder_begin(batching->batches.encoder, 0, texts->ids, texts->offsets + i, 1, why) != 0 ||
            gpu_encoder_finish(batching->batches.encoder, 0, passage->embeddings + i * batching->batches.dimension, why) < 0)
            return -1;
        passage->done += texts->uses[i];
        batching->items.done += texts->uses[i];
        guard_progress(batching->pipeline->guard, batching->items);
    }
    guard_begin(batching->pipeline->guard, 0, 0);
    return 0;
}

static int run_one_by_one(struct batching *batching, struct reason *why)
{
    struct pipeline *pipeline = batching->pipeline;
    for (skip_finished(pipeline); pipeline->next < pipeline->settings->count; skip_finished(pipeline)) {
        struct passage *passage = calloc(1, sizeof *passage);
        if (!passage)
            return fail(why, "out of memory");
        passage->index = pipeline->next++;
        int result = read_passage(pipeline, passage, pipeline->settings->model->tokenizer, NULL, why);
        if (result == 0) {
            batching->items.done += passage->shard.at_once.done;
            batching->items.quarantined += passage->shard.at_once.quarantined;
            batching->items.copied += passage->shard.at_once.copied;
            guard_progress(pipeline->guard, batching->items);
            if (embed_alone(batching, passage, why) < 0) {
                passage_free(passage);
                return -1; /* the device's fault, not the shard's */
            }
            result = write_passage(pipeline, passage, why);
        }
        note_end(pipeline, passage, result, why);
        passage_free(passage);
    }
    return 0;
}

int gpu_pipeline_run(const struct gpu_pipeline *settings, struct gpu_encoder *encoder, struct guard *guard, struct reason *why)
{
    struct gpu_pipeline bounded = *settings;
    if (bounded.threads > MOST_THREADS)
        bounded.threads = MOST_THREADS;
    if (bounded.threads > bounded.count && bounded.count > 0)
        bounded.threads = (unsigned)bounded.count;
    struct pipeline pipeline = {.settings = &bounded, .guard = guard, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct batching batching = {.pipeline = &pipeline, .items = done_before(settings)};
    list_clear(&pipeline.read);
    list_clear(&pipeline.embedded);
    if (gpu_batches_open(&batching.batches, encoder, settings->model->dimension, settings->tokens, why) < 0)
        return -1;
    const int result = guard_one_by_one(guard) ? run_one_by_one(&batching, why) : run_side_by_side(&batching, why);
    for (struct passage *passage; (passage = list_take(&pipeline.read)) || (passage = list_take(&pipeline.embedded));)
        passage_free(passage);
    gpu_batches_report(&batching.batches);
    gpu_batches_close(&batching.batches);
    return result < 0 ? -1 : pipeline.failed || any_failed(settings);
}
