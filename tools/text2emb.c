/* text2emb: texts to embeddings.
 *
 * IN is a text file, one text a line, and OUT a NumPy file (.npy, float32 [lines, dimension]); or, where OUT ends in .emb, IN is a shard list of
 * plan's (item_list.h) and OUT a shard (shard.h). With --output ids, OUT holds the token ids instead: a JSON list a line. In a shard a text that cannot be
 * embedded is quarantined: it keeps its place, with the reason. In a text file such a line is an error, because a .npy has no place for a reason. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/encoder.h"
#include "lib/atomic_file.h"
#include "lib/hash.h"
#include "lib/item_guard.h"
#include "lib/message.h"
#include "lib/model_folder.h"
#include "lib/numbers.h"
#include "lib/progress.h"
#include "lib/reuse.h"
#include "lib/text_buffer.h"
#include "lib/text_shard.h"
#include "lib/text_tokenizer.h"
#include "lib/token_batch.h"
#include "lib/whole_file.h"

/* To be raised whenever the same text and model give another embedding than before. */
#define ALGORITHM 2

enum { LINES_AT_A_TIME = 4096 }; /* of a text file: what is held in memory, and within which identical lines are computed once */

static const char usage[] =
    "usage: text2emb --model FOLDER [options] IN OUT [IN OUT ...]\n"
    "Embeds the texts of IN, one a line, into OUT (.npy), or, if OUT ends in .emb, a shard list IN into a shard OUT.\n"
    "  --model FOLDER    a sentence encoder: config.json, model.safetensors, vocab.txt, and sentence-transformers' files\n"
    "  --pooling NAME    cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken (as the folder says)\n"
    "  --normalize 0|1   whether embeddings get length 1 (as the folder says)\n"
    "  --precision NAME  of the calculation: f32 (the default), bf16 or int8; the next higher one where the machine lacks the instructions\n"
    "  --batch-size N    texts at a time, and between reports of progress (32); the result does not depend on it\n"
    "  --output WHAT     embeddings (the default), or ids: the token ids of each line, as a JSON list a line\n"
    "  --reuse FILE      finished shards, one a line: embeddings that they hold are copied\n"
    "  --expect HASH     the signature that OUT is named after: another one (the model was changed meanwhile) is an error\n"
    "  --signature       print the hash of everything but the input that decides the output\n"
    "  --help, --version\n";

struct options {
    const char *model, *reuse, *expected;
    struct model_settings settings;
    struct guard_limits limits;
    enum precision wanted, precision; /* that is asked for, and that this machine computes in */
    size_t batch;
    int ids, signature;
};

/* ---- options ---- */

static int read_precision(const char *value, struct options *options)
{
    const int wanted = precision_from_name(value);
    if (wanted < 0)
        return usage_error("PRECISION=%s: unknown; accepted: f32, bf16, int8", value);
    options->wanted = (enum precision)wanted;
    options->precision = encoder_precision(options->wanted);
    return 0;
}

/* Said once in a build: by the call that asks for the signature, not by each that is told it. */
static void warn_of_precision(const struct options *options)
{
    if (options->precision != options->wanted && !options->expected)
        message(MESSAGE_WARNING, NULL, "PRECISION=%s: this machine has no instructions for it, so it computes in %s", precision_name(options->wanted),
                precision_name(options->precision));
}

static int read_choice(const char *name, const char *value, struct options *options)
{
    if (strcmp(name, "pooling") == 0) {
        options->settings.pooling = pooling_from_name(value);
        return options->settings.pooling >= 0 ? 0
                   : usage_error("POOLING=%s: unknown; accepted: cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken", value);
    }
    if (strcmp(name, "normalize") == 0) {
        options->settings.normalize = value[0] - '0';
        return (value[0] == '0' || value[0] == '1') && !value[1] ? 0 : usage_error("NORMALIZE=%s: unknown; accepted: 0, 1", value);
    }
    if (strcmp(name, "precision") == 0)
        return read_precision(value, options);
    if (strcmp(name, "output") == 0) {
        options->ids = options->settings.ids_only = strcmp(value, "ids") == 0;
        return options->ids || strcmp(value, "embeddings") == 0 ? 0 : usage_error("--output %s: unknown; accepted: embeddings, ids", value);
    }
    if (strcmp(name, "batch-size") == 0)
        return whole_number(value, 1, 1 << 20, &options->batch) == 0 ? 0
                   : usage_error("BATCH_SIZE=%s: a whole number from 1 to %d is needed", value, 1 << 20);
    if (strcmp(name, "reuse") == 0)
        options->reuse = value;
    else if (strcmp(name, "expect") == 0)
        options->expected = value;
    else
        options->model = value;
    return 0;
}

/* 0, or the exit status with which main ends; -1: end well, all is said. */
static int read_options(int argc, char **argv, struct options *options)
{
    enum { SIGNATURE = 1, HELP, VERSION };
    static const struct option known[] = {
        {"model", required_argument, NULL, 0},     {"pooling", required_argument, NULL, 0},    {"normalize", required_argument, NULL, 0},
        {"precision", required_argument, NULL, 0}, {"batch-size", required_argument, NULL, 0}, {"output", required_argument, NULL, 0},
        {"reuse", required_argument, NULL, 0},     {"expect", required_argument, NULL, 0},
        {"signature", no_argument, NULL, SIGNATURE}, {"help", no_argument, NULL, HELP},        {"version", no_argument, NULL, VERSION},
        {0},
    };
    for (int found, index, status; (found = getopt_long(argc, argv, "", known, &index)) != -1;) {
        switch (found) {
        case 0:
            if ((status = read_choice(known[index].name, optarg, options)) != 0)
                return status;
            break;
        case SIGNATURE: options->signature = 1; break;
        case HELP: fputs(usage, stdout); return fflush(stdout) ? 1 : -1;
        case VERSION: print_version(); return fflush(stdout) ? 1 : -1;
        default: return 2;
        }
    }
    return 0;
}

static int check_operands(int count, char **operands)
{
    if (count == 0 || count % 2)
        return usage_error("pairs of IN and OUT are needed");
    for (int i = 1; i < count; i += 2)
        if (strcmp(operands[i], "-") == 0)
            return usage_error("OUT is a file; embeddings are not written to the terminal");
    return 0;
}

/* Everything that is kept from file to file. */
struct embedder {
    const struct model_folder *model;
    struct encoder *encoder; /* NULL where only ids are wanted */
    size_t batch;
    struct token_batch texts; /* of a text file */
    float *distinct; /* [distinct texts, dimension] */
    size_t distinct_room;
    struct guard *guard;
    /* for shards only */
    const char *signature;
    struct reuse *reuse;
    uint64_t items_before;       /* items of earlier shards of this call */
    struct progress_items items; /* what is done of this call */
};

static int signature_of(const struct model_folder *model, enum precision precision, char hex[HASH_HEX + 1], struct reason *why)
{
    struct hash_state *state = hash_start();
    if (!state)
        return fail(why, "out of memory");
    char algorithm[64];
    snprintf(algorithm, sizeof algorithm, "text2emb %d %s", ALGORITHM, precision_name(precision));
    hash_add_string(state, algorithm);
    model_folder_hash(model, MODEL_EMBEDDINGS, state);
    hash_to_hex(hash_end(state), hex);
    return 0;
}

static void close_embedder(struct embedder *embedder)
{
    encoder_close(embedder->encoder);
    token_batch_free(&embedder->texts);
    free(embedder->distinct);
    reuse_close(embedder->reuse);
}

static int open_embedder(struct embedder *embedder, const struct options *options, const struct model_folder *model, struct reason *why)
{
    *embedder = (struct embedder){.model = model, .batch = options->batch};
    if (!options->ids && !(embedder->encoder = encoder_open(model, options->precision, why))) {
        close_embedder(embedder);
        return -1;
    }
    return 0;
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

/* Fills embedder->distinct with the embeddings of the distinct texts, batch by batch. */
static int embed(struct embedder *embedder, const struct token_batch *texts, int in_shard, struct reason *why)
{
    const size_t dimension = encoder_dimension(embedder->encoder);
    if (make_rows(&embedder->distinct, &embedder->distinct_room, texts->distinct, dimension, why) < 0)
        return -1;
    const size_t batch = guard_one_by_one(embedder->guard) ? 1 : embedder->batch;
    for (size_t i = 0; i < texts->distinct; i += batch) {
        const size_t some = texts->distinct - i < batch ? texts->distinct - i : batch;
        size_t done = 0;
        if (in_shard)
            guard_begin(embedder->guard, embedder->items_before + texts->first[i], some);
        if (encoder_forward(embedder->encoder, texts->ids, texts->offsets + i, some, embedder->distinct + i * dimension, why) < 0)
            return -1;
        for (size_t j = i; j < i + some; j++)
            done += texts->uses[j];
        count_done(embedder, (struct progress_items){.done = done});
    }
    guard_begin(embedder->guard, 0, 0);
    return 0;
}

/* ---- a shard ---- */

static int embed_shard(struct embedder *embedder, const char *in, const char *out, struct reason *why)
{
    struct text_shard shard = {.in = in, .out = out, .first = embedder->items_before};
    const struct text_shard_maker maker = {.model = embedder->model, .tokenizer = embedder->model->tokenizer, .signature = embedder->signature,
                                           .reuse = embedder->reuse, .guard = embedder->guard};
    int result = text_shard_read(&shard, &maker, why);
    if (result == 0) {
        count_done(embedder, shard.at_once);
        result = embed(embedder, &shard.texts, 1, why);
    }
    if (result == 0)
        result = text_shard_write(&shard, &maker, embedder->distinct, why);
    embedder->items_before += shard.list.count;
    text_shard_free(&shard);
    return result;
}

/* ---- a text file ---- */

/* The next line of a file: without its end, which is LF or CR LF. */
struct line { const char *text; size_t bytes, number; };

static int next_line(const struct whole_file *file, size_t *at, struct line *line)
{
    if (*at >= file->count)
        return 0;
    const char *text = (const char *)file->bytes + *at, *newline = memchr(text, '\n', file->count - *at);
    *line = (struct line){text, newline ? (size_t)(newline - text) : file->count - *at, line->number + 1};
    *at += line->bytes + (newline ? 1 : 0);
    if (newline && line->bytes && text[line->bytes - 1] == '\r')
        line->bytes--;
    return 1;
}

static size_t count_lines(const struct whole_file *file)
{
    struct line line = {0};
    for (size_t at = 0; next_line(file, &at, &line);)
        ;
    return line.number;
}

/* NumPy's format 1.0: magic, version, length of what follows, a Python dictionary, filled up with spaces to a multiple of 64. */
static void write_npy_header(struct atomic_file *file, size_t rows, size_t columns)
{
    enum { HEADER = 128, BEFORE = 10 };
    char header[HEADER];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\1\0", 8);
    header[8] = HEADER - BEFORE; /* little-endian, 16 bits */
    header[9] = 0;
    int used = snprintf(header + BEFORE, sizeof header - BEFORE, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    header[BEFORE + used] = ' ';
    header[HEADER - 1] = '\n';
    atomic_file_write(file, header, sizeof header);
}

static int embed_file(struct embedder *embedder, const struct whole_file *texts, struct atomic_file *file, struct reason *why)
{
    const size_t dimension = encoder_dimension(embedder->encoder);
    struct line line = {0};
    write_npy_header(file, count_lines(texts), dimension);
    for (size_t at = 0; at < texts->count;) {
        token_batch_clear(&embedder->texts);
        while (embedder->texts.texts < LINES_AT_A_TIME && next_line(texts, &at, &line)) {
            struct reason problem;
            if (token_batch_add(&embedder->texts, embedder->model->tokenizer, line.text, line.bytes, embedder->model->max_tokens, &problem) != 0)
                return fail(why, "line %zu: %s", line.number, problem.text);
        }
        if (embed(embedder, &embedder->texts, 0, why) < 0)
            return -1;
        for (size_t i = 0; i < embedder->texts.texts; i++)
            atomic_file_write(file, embedder->distinct + embedder->texts.distinct_of[i] * dimension, dimension * sizeof *embedder->distinct);
    }
    return 0;
}

static int ids_of_file(struct embedder *embedder, const struct whole_file *texts, struct atomic_file *file, struct reason *why)
{
    const size_t most = embedder->model->max_tokens;
    int32_t *ids = malloc(most * sizeof *ids);
    struct text_buffer list = {0};
    struct line line = {0};
    int result = ids ? 0 : fail(why, "out of memory");
    for (size_t at = 0; result == 0 && next_line(texts, &at, &line);) {
        struct reason problem;
        const long count = text_tokenizer_encode(embedder->model->tokenizer, line.text, line.bytes, most, ids, &problem);
        if (count < 0)
            result = fail(why, "line %zu: %s", line.number, problem.text);
        text_clear(&list);
        for (long i = 0; i < count; i++) {
            text_add(&list, i ? "," : "[", 1);
            text_add_integer(&list, ids[i]);
        }
        text_add(&list, "]\n", 2);
        if (list.failed)
            result = fail(why, "out of memory");
        else
            atomic_file_write(file, list.bytes, list.count);
    }
    text_free(&list);
    free(ids);
    return result;
}

static int embed_lines(struct embedder *embedder, const char *in, const char *out, struct reason *why)
{
    struct whole_file texts = {0};
    struct atomic_file *file = NULL;
    int result = whole_file_read(in, &texts, why);
    if (result == 0 && !(file = atomic_file_open(out, why)))
        result = -1;
    if (result == 0)
        result = embedder->encoder ? embed_file(embedder, &texts, file, why) : ids_of_file(embedder, &texts, file, why);
    if (result == 0)
        result = atomic_file_commit(file, why);
    else
        atomic_file_abandon(file);
    whole_file_free(&texts);
    return result;
}

/* ---- the program ---- */

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

struct job { const struct options *options; const struct model_folder *model; const char *signature; int count; char **operands; };

/* All operands, in a child of its own. */
static int embed_all(struct guard *guard, void *context)
{
    const struct job *job = context;
    const struct options *options = job->options;
    struct embedder embedder;
    struct reason why;
    if (open_embedder(&embedder, options, job->model, &why) < 0 ||
        !(embedder.reuse = reuse_open(options->reuse, "reprise emb 1", job->signature, &why))) {
        message(MESSAGE_ERROR, options->model, "%s", why.text);
        return 1;
    }
    embedder.guard = guard;
    embedder.signature = job->signature;
    progress_join(PROGRESS_TEXT);
    int status = 0;
    for (int i = 0; i < job->count; i += 2) {
        const char *in = job->operands[i], *out = job->operands[i + 1];
        const int is_shard = ends_with(out, ".emb") && !options->ids;
        if ((is_shard ? embed_shard : embed_lines)(&embedder, in, out, &why) < 0) {
            message(MESSAGE_ERROR, in, "%s", why.text);
            status = 1;
        }
    }
    close_embedder(&embedder);
    return status;
}

/* Shards are guarded item by item. A file of lines has no place for a verdict: it is never in hand, so a death in it ends the program. */
static int embed_guarded(const struct options *options, const struct model_folder *model, int count, char **operands)
{
    struct reason why;
    char signature[HASH_HEX + 1];
    int status = signature_of(model, options->precision, signature, &why);
    if (status == 0 && options->expected && strcmp(options->expected, signature) != 0)
        status = fail(&why, "changed during the run; run make again");
    if (status < 0) {
        message(MESSAGE_ERROR, options->model, "%s", why.text);
        return 1;
    }
    struct job job = {options, model, signature, count, operands};
    status = guard_run(&options->limits, embed_all, &job, &why);
    if (status < 0)
        message(MESSAGE_ERROR, operands[0], "%s", why.text);
    return status < 0 ? 1 : status;
}

int main(int argc, char **argv)
{
    struct options options = {.settings = MODEL_SETTINGS_NONE, .batch = 32};
    struct reason why;
    if (message_init(argv[0]) < 0)
        return 2;
    int status = read_options(argc, argv, &options);
    if (status)
        return status < 0 ? 0 : status;
    if (!options.model)
        return usage_error("--model is needed");
    if (!options.signature && (status = check_operands(argc - optind, argv + optind)))
        return status;
    if (guard_limits_read(&options.limits, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 2;
    }
    warn_of_precision(&options);
    struct model_folder *model = model_folder_open(options.model, &options.settings, &why);
    if (!model) {
        message(MESSAGE_ERROR, options.model, "%s", why.text);
        return 1;
    }
    if (options.signature) {
        char signature[HASH_HEX + 1];
        status = signature_of(model, options.precision, signature, &why) < 0;
        if (!status && (puts(signature) < 0 || fflush(stdout))) {
            fail_errno(&why, "the signature cannot be printed");
            status = 1;
        }
        if (status)
            message(MESSAGE_ERROR, options.model, "%s", why.text);
    } else {
        status = embed_guarded(&options, model, argc - optind, argv + optind);
    }
    model_folder_close(model);
    return status;
}
