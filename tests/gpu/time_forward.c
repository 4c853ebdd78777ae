/* The whole forward pass of the library (kernels/cuda/library.h) with random weights: that a text's bits do not depend on its neighbours nor on whether passes are kept
 * as graphs; and, on a device, its speed at the shapes of real models, with the copies of batches in and out, and the time from opening to the first batch.
 *
 *   time_forward [--quick] [f32|f16|bf16]…     quick: the checks alone, on a small model; of one precision, or all
 *
 * Ends with 1 if a check failed, with 2 if a call did, with 3 if there is no usable device. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../kernels/cuda/library.h"
#include "device_memory.h"

enum { VOCABULARY = 5000, MOST_TOKENS = 512, MOST_TEXTS = 1024 };

static struct reason why;
static int failures;

static void need(int result)
{
    if (result != 0) {
        fprintf(stderr, "%s\n", why.text);
        exit(2);
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- a model ---- */

struct shape { const char *name; size_t hidden, layers, heads, intermediate; };

struct random_model { struct cuda_model model; struct cuda_layer layer; float *words; size_t hidden; };

static const float *give_words(void *context, size_t first, size_t count, float *scratch)
{
    const struct random_model *random = context;
    (void)count, (void)scratch;
    return random->words + first * random->hidden;
}

static int give_layer(void *context, size_t index, struct cuda_layer *layer, struct reason *reason)
{
    const struct random_model *random = context;
    (void)index, (void)reason;
    *layer = random->layer; /* the same in every layer */
    return 0;
}

static float *weights(size_t count, double size)
{
    return random_values(ELEMENT_F32, count, size);
}

static void make_model(struct random_model *random, struct shape shape)
{
    const size_t hidden = shape.hidden, wide = shape.intermediate;
    const double square = sqrt(3.0 / (double)hidden), down = sqrt(3.0 / (double)wide);
    random->hidden = hidden;
    random->words = weights(VOCABULARY * hidden, 1);
    random->layer = (struct cuda_layer){
        .query = weights(hidden * hidden, square), .key = weights(hidden * hidden, square), .value = weights(hidden * hidden, square),
        .query_bias = weights(hidden, 0.1), .key_bias = weights(hidden, 0.1), .value_bias = weights(hidden, 0.1), .output = weights(hidden * hidden, square),
        .output_bias = weights(hidden, 0.1), .attention_gain = weights(hidden, 1), .attention_bias = weights(hidden, 0.1), .up = weights(wide * hidden, square),
        .up_bias = weights(wide, 0.1), .down = weights(hidden * wide, down), .down_bias = weights(hidden, 0.1), .output_gain = weights(hidden, 1),
        .output_norm_bias = weights(hidden, 0.1)};
    random->model = (struct cuda_model){
        .hidden = hidden, .layers = shape.layers, .heads = shape.heads, .intermediate = wide, .vocabulary = VOCABULARY, .positions = MOST_TOKENS, .max_tokens = MOST_TOKENS,
        .epsilon = 1e-12f, .source = {random, give_words, give_layer}, .position_rows = weights(MOST_TOKENS * hidden, 0.3), .types = weights(hidden, 0.3),
        .embedding_gain = weights(hidden, 1), .embedding_bias = weights(hidden, 0.1), .poolings = 1, .pooling = {CUDA_POOL_MEAN}, .dimension = hidden, .normalize = hidden};
}

static void free_model(struct random_model *random)
{
    const struct cuda_layer *l = &random->layer;
    const float *all[] = {random->words, l->query, l->key, l->value, l->query_bias, l->key_bias, l->value_bias, l->output, l->output_bias, l->attention_gain, l->attention_bias,
                          l->up, l->up_bias, l->down, l->down_bias, l->output_gain, l->output_norm_bias, random->model.position_rows, random->model.types,
                          random->model.embedding_gain, random->model.embedding_bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free((void *)(uintptr_t)all[i]);
}

/* ---- texts ---- */

struct texts { int32_t ids[1 << 16], positions[1 << 16]; size_t offsets[MOST_TEXTS + 1]; size_t count; };

static void make_texts(struct texts *texts, size_t budget, int least, int most)
{
    texts->count = 0;
    for (size_t used = 0; texts->count < MOST_TEXTS; texts->count++) {
        const size_t length = (size_t)pick(least, most);
        if (used + length > budget)
            break;
        for (size_t t = 0; t < length; t++) {
            texts->ids[used + t] = pick(0, VOCABULARY - 1);
            texts->positions[used + t] = (int32_t)t;
        }
        used += length;
        texts->offsets[texts->count + 1] = used;
    }
}

static struct cuda_texts part(const struct texts *texts, size_t first, size_t count)
{
    return (struct cuda_texts){texts->ids, texts->positions, texts->offsets + first, count};
}

/* ---- the checks ---- */

_Static_assert((int)CUDA_PRECISION_F32 == (int)ELEMENT_F32 && (int)CUDA_PRECISION_F16 == (int)ELEMENT_F16 && (int)CUDA_PRECISION_BF16 == (int)ELEMENT_BF16, "alike");

static struct cuda_encoder *open_encoder(const struct cuda_functions *functions, const struct random_model *random, int precision, int graphs)
{
    const struct cuda_settings settings = {.device = 0, .precision = (enum cuda_precision)precision, .graphs = graphs};
    struct cuda_encoder *encoder = functions->open(&random->model, &settings, &why);
    need(encoder ? 0 : -1);
    return encoder;
}

/* The largest difference between a text alone and the same one among others, over all texts; with batches in all slots, and classes met again and again. */
static double neighbours_matter(const struct cuda_functions *functions, struct cuda_encoder *encoder, const struct texts *texts, size_t dimension, const float *together)
{
    double largest = 0;
    float *alone = calloc(MOST_TEXTS * dimension, sizeof *alone);
    if (!alone)
        out_of_memory();
    for (size_t first = 0, some; first < texts->count; first += some) {
        size_t counts[CUDA_SLOTS] = {0}, at = first;
        for (unsigned slot = 0; slot < CUDA_SLOTS && at < texts->count; slot++) {
            counts[slot] = texts->count - at < 1 + slot ? texts->count - at : 1 + slot;
            const struct cuda_texts batch = part(texts, at, counts[slot]);
            need(functions->begin(encoder, slot, &batch, &why));
            at += counts[slot];
        }
        some = at - first;
        at = first;
        for (unsigned slot = 0; slot < CUDA_SLOTS && counts[slot]; slot++) {
            need(functions->finish(encoder, slot, alone + at * dimension, &why));
            at += counts[slot];
        }
    }
    for (size_t i = 0; i < texts->count * dimension; i++)
        largest = fmax(largest, isnan(alone[i]) ? HUGE_VAL : fabs((double)alone[i] - (double)together[i]));
    free(alone);
    return largest;
}

static void check_precision(const struct cuda_functions *functions, const struct random_model *random, const char *name, int precision, size_t budget)
{
    static struct texts texts;
    const size_t dimension = random->model.dimension;
    float *together = calloc(MOST_TEXTS * dimension, sizeof *together), *again = calloc(MOST_TEXTS * dimension, sizeof *again);
    if (!together || !again)
        out_of_memory();
    make_texts(&texts, budget, 1, 150);
    const struct cuda_texts all = part(&texts, 0, texts.count), first = part(&texts, 0, 1);
    struct cuda_encoder *with = open_encoder(functions, random, precision, 1), *without = open_encoder(functions, random, precision, 0);
    need(functions->begin(without, 0, &all, &why));
    need(functions->finish(without, 0, together, &why));
    int same = 1;
    for (int i = 0; i < 2; i++) { /* its graph goes when a larger batch takes new memory */
        need(functions->begin(with, 0, &first, &why));
        need(functions->finish(with, 0, again, &why));
        same &= memcmp(together, again, dimension * sizeof *again) == 0;
    }
    for (int i = 0; i < 3; i++) { /* as it is, captured, replayed */
        need(functions->begin(with, 0, &all, &why));
        need(functions->finish(with, 0, again, &why));
        same &= memcmp(together, again, texts.count * dimension * sizeof *again) == 0;
    }
    const double difference = neighbours_matter(functions, with, &texts, dimension, together);
    const size_t replays = functions->replays(with);
    failures += !same || difference > 0 || replays == 0;
    printf("%-10s %-5s %3zu texts: graphs give %s bits (%zu passes were graphs); a text among others differs from the same alone by %.2e at most\n", name, element_names[precision], texts.count,
           same ? "the same" : "OTHER", replays, difference);
    functions->close(with);
    functions->close(without);
    free(together), free(again);
}

/* ---- speed ---- */

static double operations_of(const struct random_model *random, size_t tokens, size_t each)
{
    const double h = (double)random->model.hidden, w = (double)random->model.intermediate;
    return (double)random->model.layers * (double)tokens * (2 * (4 * h * h + 2 * h * w) + 4 * (double)each * h);
}

static void time_texts(const struct cuda_functions *functions, const struct random_model *random, const char *name, int precision, size_t each, size_t budget)
{
    enum { BATCHES = 200 };
    static struct texts texts;
    static float embeddings[MOST_TEXTS * 1024];
    make_texts(&texts, budget, (int)each, (int)each);
    const struct cuda_texts batch = part(&texts, 0, texts.count);
    double opened = now();
    struct cuda_encoder *encoder = open_encoder(functions, random, precision, 1);
    need(functions->begin(encoder, 0, &batch, &why));
    need(functions->finish(encoder, 0, embeddings, &why));
    opened = now() - opened;
    double begun = 0;
    for (int i = -2 * CUDA_SLOTS; i < BATCHES + CUDA_SLOTS; i++) {
        const unsigned slot = (unsigned)(i + 2 * CUDA_SLOTS) % CUDA_SLOTS;
        if (i >= -CUDA_SLOTS)
            need(functions->finish(encoder, slot, embeddings, &why));
        if (i == 0)
            begun = now();
        if (i < BATCHES)
            need(functions->begin(encoder, slot, &batch, &why));
    }
    const double seconds = (now() - begun) / (BATCHES + CUDA_SLOTS - 1);
    printf("%-10s %-5s %4zu tokens, %4zu texts a batch: %9.0f texts/s %7.1f TFLOP/s, first batch after %.2f s\n", name, element_names[precision], each, texts.count,
           (double)texts.count / seconds, operations_of(random, texts.offsets[texts.count], each) / seconds * 1e-12, opened);
    functions->close(encoder);
}

int main(int argc, char **argv)
{
    static const struct shape small = {"small", 64, 2, 2, 128}, shapes[] = {{"MiniLM-L6", 384, 6, 12, 1536}, {"bert-base", 768, 12, 12, 3072}};
    static const size_t lengths[] = {60, 110, 128, 256};
    const struct cuda_functions *functions = reprise_cuda(REPRISE_CUDA_VERSION);
    struct test_arguments arguments;
    if (!functions || test_arguments_read(argc, argv, &arguments) < 0) {
        fprintf(stderr, "usage: time_forward [--quick] [f32|f16|bf16]...\n");
        return 2;
    }
    const int quick = arguments.quick;
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was found is told, whatever comes later */
    if (functions->devices(&why) < 1) {
        fprintf(stderr, "%s\n", why.text);
        return 3;
    }
    for (size_t s = 0; s < (quick ? 1 : sizeof shapes / sizeof *shapes); s++) {
        const struct shape shape = quick ? small : shapes[s];
        struct random_model random;
        make_model(&random, shape);
        for (int precision = CUDA_PRECISION_F32; precision <= CUDA_PRECISION_BF16; precision++)
            if (arguments.elements[precision])
                check_precision(functions, &random, shape.name, precision, quick ? 300 : 16384);
        for (int precision = CUDA_PRECISION_F32; !quick && precision <= CUDA_PRECISION_BF16; precision++)
            for (size_t i = 0; arguments.elements[precision] && i < sizeof lengths / sizeof *lengths; i++)
                for (size_t budget = 8192; budget <= 32768; budget *= 2)
                    if (precision == CUDA_PRECISION_F16 || (lengths[i] == 128 && budget == 16384))
                        time_texts(functions, &random, shape.name, precision, lengths[i], budget);
        free_model(&random);
    }
    return failures ? 1 : 0;
}
