/* text2emb: texts to embeddings.
 *
 * IN is a text file, one text a line, and OUT a NumPy file (.npy, [lines, dimension]); or, where OUT ends in .emb, IN is a shard list of
 * plan's (item_list.h) and OUT a shard (shard.h). With --output tokens, OUT holds the last layer's states of every token, line behind line ([tokens, hidden]); with --output ids
 * the token ids: of a text file, a JSON list a line. In a shard a text that cannot be
 * embedded is quarantined: it keeps its place, with the reason. In a text file such a line is an error, because a .npy has no place for a reason. */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/embedder.h"
#include "lib/gpu_pipeline.h"
#include "lib/hash.h"
#include "lib/item_guard.h"
#include "lib/message.h"
#include "lib/model_folder.h"
#include "lib/numbers.h"
#include "lib/operands.h"
#include "lib/progress.h"
#include "lib/shard_files.h"
#include "lib/text_lines.h"

/* To be raised whenever the same text and model give another embedding than before in this precision. */
static const int algorithms[PRECISIONS] = {[PRECISION_F32] = 5, [PRECISION_F16] = 4, [PRECISION_BF16] = 11, [PRECISION_INT8] = 8};

static const char usage[] =
    "usage: text2emb --model FOLDER [options] IN OUT [IN OUT ...]\n"
    "       text2emb --model FOLDER [options] --shards FILE PLAN SHARDS\n"
    "Embeds the texts of IN, one a line, into OUT (.npy), or, if OUT ends in .emb, a shard list IN into a shard OUT.\n"
    "  --model FOLDER    a sentence encoder: config.json, model.safetensors, tokenizer.json or vocab.txt, and sentence-transformers' files\n"
    "  --pooling NAME    cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken (as the folder says)\n"
    "  --normalize 0|1   whether embeddings get length 1 (as the folder says)\n"
    "  --precision NAME  of the calculation: f32 (the default), bf16 or int8; the next higher one where the machine lacks the instructions. On a GPU: f32, f16 or bf16\n"
    "  --batch-size N    texts at a time, and between reports of progress (32); the result does not depend on it\n"
    "  --prompt TEXT     put before every text: the name of one of the folder's prompts, or else the prompt itself (as the folder says)\n"
    "  --truncate-dim N  keep the first N numbers of an embedding (all); with --normalize 1 they get length 1 again\n"
    "  --output WHAT     embeddings (the default); tokens: the last layer's states of every token; or ids: token ids, of a text file as a JSON list a line\n"
    "  --type NAME       of the numbers in OUT: f32 (the default) or f16\n"
    "  --reuse FILE      finished shards, one a line: embeddings that they hold are copied\n"
    "  --expect HASH     the signature that OUT is named after: another one (the model was changed meanwhile) is an error\n"
    "  --gpu N           embed on GPU number N; if it cannot be used: a warning, then the CPU\n"
    "  --require-gpu     … then an error\n"
    "  --threads N       that tokenize and write beside a GPU (as many as there are processors, at most 8)\n"
    "  --gpus            print how many GPUs can be used for this model and precision; if none, say why\n"
    "  --shards FILE     names in FILE: for each N, the shard SHARDS/N.emb from PLAN/N.text, with PLAN/N.text-reuse as --reuse\n"
    "  --part I/N        of those, number I (from 0) of every N\n"
    "  --signature       print the hash of everything but the input that decides the output\n"
    "  --help, --version\n";

struct options {
    const char *model, *reuse, *expected;
    struct model_settings settings;
    struct guard_limits limits;
    enum precision wanted, precision; /* that is asked for, and that this machine computes in */
    size_t batch, gpu, threads;
    struct shard_selection selection; /* list NULL: the operands are pairs of files */
    int signature, on_gpu, require_gpu, count_gpus;
};

/* ---- options ---- */

static int read_precision(const char *value, struct options *options)
{
    const int wanted = precision_from_name(value);
    if (wanted < 0)
        return usage_error("PRECISION=%s: unknown; accepted: f32, f16, bf16, int8", value);
    options->wanted = (enum precision)wanted;
    return 0;
}

/* On a GPU a precision is what it says; there is no other signature to fall back to. */
static void choose_precision(struct options *options)
{
    const int on_gpu = (options->on_gpu || options->count_gpus) && options->wanted != PRECISION_INT8;
    options->precision = on_gpu ? options->wanted : encoder_precision(options->wanted);
}

/* "I/N" */
static int read_part(const char *value, struct shard_selection *selection)
{
    int end = 0;
    if (sscanf(value, "%zu/%zu%n", &selection->part, &selection->parts, &end) == 2 && !value[end] && value[0] != '-' && selection->part < selection->parts)
        return 0;
    return usage_error("--part %s: I/N is needed, I from 0 to N - 1", value);
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
        static const char *const names[] = {[MODEL_EMBEDDINGS] = "embeddings", [MODEL_STATES] = "tokens", [MODEL_IDS] = "ids"};
        for (int i = 0; i < 3; i++)
            if (strcmp(names[i], value) == 0) {
                options->settings.result = (enum model_result)i;
                return 0;
            }
        return usage_error("TEXT_OUTPUT=%s: unknown; accepted: embeddings, tokens, ids", value);
    }
    if (strcmp(name, "type") == 0) {
        options->settings.half = strcmp(value, "f16") == 0;
        return options->settings.half || strcmp(value, "f32") == 0 ? 0 : usage_error("EMBEDDING_TYPE=%s: unknown; accepted: f32, f16", value);
    }
    if (strcmp(name, "truncate-dim") == 0)
        return whole_number(value, 1, 1 << 20, &options->settings.truncate_dim) == 0 ? 0 : usage_error("TRUNCATE_DIM=%s: a whole number from 1 is needed", value);
    if (strcmp(name, "batch-size") == 0)
        return whole_number(value, 1, 1 << 20, &options->batch) == 0 ? 0
                   : usage_error("BATCH_SIZE=%s: a whole number from 1 to %d is needed", value, 1 << 20);
    if (strcmp(name, "gpu") == 0) {
        options->on_gpu = 1;
        return whole_number(value, 0, 1023, &options->gpu) == 0 ? 0 : usage_error("--gpu %s: a GPU's number is needed, from 0", value);
    }
    if (strcmp(name, "threads") == 0)
        return whole_number(value, 1, 64, &options->threads) == 0 ? 0 : usage_error("--threads %s: a whole number from 1 to 64 is needed", value);
    if (strcmp(name, "part") == 0)
        return read_part(value, &options->selection);
    if (strcmp(name, "shards") == 0)
        options->selection.list = value;
    else if (strcmp(name, "prompt") == 0)
        options->settings.prompt = value;
    else if (strcmp(name, "reuse") == 0)
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
    enum { SIGNATURE = 1, REQUIRE_GPU, GPUS, HELP, VERSION };
    static const struct option known[] = {
        {"model", required_argument, NULL, 0},     {"pooling", required_argument, NULL, 0},    {"normalize", required_argument, NULL, 0},
        {"precision", required_argument, NULL, 0}, {"batch-size", required_argument, NULL, 0}, {"output", required_argument, NULL, 0},
        {"reuse", required_argument, NULL, 0},     {"expect", required_argument, NULL, 0},     {"prompt", required_argument, NULL, 0},
        {"truncate-dim", required_argument, NULL, 0}, {"type", required_argument, NULL, 0},
        {"gpu", required_argument, NULL, 0},       {"threads", required_argument, NULL, 0},    {"shards", required_argument, NULL, 0},
        {"part", required_argument, NULL, 0},      {"require-gpu", no_argument, NULL, REQUIRE_GPU}, {"gpus", no_argument, NULL, GPUS},
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
        case REQUIRE_GPU: options->require_gpu = 1; break;
        case GPUS: options->count_gpus = 1; break;
        case HELP: fputs(usage, stdout); return fflush(stdout) ? 1 : -1;
        case VERSION: print_version(); return fflush(stdout) ? 1 : -1;
        default: return 2;
        }
    }
    return 0;
}

static int check_operands(int count, char **operands, const struct shard_selection *selection)
{
    if (selection->list)
        return count == 2 ? 0 : usage_error("--shards: the folders PLAN and SHARDS are needed");
    if (count == 0 || count % 2)
        return usage_error("pairs of IN and OUT are needed");
    int status = 0;
    for (int i = 0; status == 0 && i < count; i += 2)
        status = check_out(operands[i], operands[i + 1]);
    return status;
}

/* ---- the program ---- */

static int signature_of(const struct model_folder *model, enum precision precision, char hex[HASH_HEX + 1], struct reason *why)
{
    struct hash_state *state = hash_start();
    if (!state)
        return fail(why, "out of memory");
    char algorithm[64];
    const int ids = model->result == MODEL_IDS; /* which no precision changes */
    snprintf(algorithm, sizeof algorithm, "text2emb %d %s", algorithms[ids ? PRECISION_F32 : precision], ids ? "" : precision_name(precision));
    hash_add_string(state, algorithm);
    model_folder_hash(model, state);
    hash_to_hex(hash_end(state), hex);
    return 0;
}

/* What a call works on: shards, and other files as pairs of IN and OUT. */
struct job {
    const struct options *options;
    const struct model_folder *model;
    const char *signature;
    struct shard_files shards;
    struct gpu_shard_state *states; /* [shards] */
    int count;
    char **operands;
};

static int is_shard(const char *out)
{
    return ends_with(out, ".emb");
}

static int embed_files(struct embedder *embedder, const struct job *job)
{
    struct reason why;
    int status = 0;
    for (int i = 0; i < job->count; i += 2)
        if (!is_shard(job->operands[i + 1]) && text_lines_embed(embedder, job->operands[i], job->operands[i + 1], &why) < 0) {
            message(MESSAGE_ERROR, job->operands[i], "%s", why.text);
            status = 1;
        }
    return status;
}

static int embed_on_cpu(struct guard *guard, const struct job *job)
{
    struct embedder embedder;
    struct reason why;
    if (embedder_open(&embedder, job->model, job->options->precision, job->options->batch, &why) < 0) {
        message(MESSAGE_ERROR, job->options->model, "%s", why.text);
        return 1;
    }
    embedder.guard = guard;
    embedder.memory_limited = job->options->limits.memory > 0;
    embedder.signature = job->signature;
    int status = 0;
    for (size_t i = 0; i < job->shards.count; i++)
        if (embedder_shard(&embedder, &job->shards.files[i], &why) < 0) {
            message(MESSAGE_ERROR, job->shards.files[i].in, "%s", why.text);
            status = 1;
        }
    status |= embed_files(&embedder, job);
    embedder_close(&embedder);
    return status;
}

static unsigned threads_beside_gpu(const struct options *options)
{
    enum { MOST = 8 };
    cpu_set_t processors;
    const int count = sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;
    return options->threads ? (unsigned)options->threads : count < MOST ? (unsigned)count : MOST;
}

static int run_on_gpu(struct guard *guard, const struct job *job, struct gpu_encoder *encoder, struct reason *why)
{
    const struct options *options = job->options;
    const size_t tokens = gpu_encoder_batch_tokens(encoder, options->batch * job->model->max_tokens);
    const struct gpu_pipeline pipeline = {
        .model_path = options->model, .model = job->model, .signature = job->signature, .shards = job->shards.files, .states = job->states,
        .count = job->shards.count, .threads = threads_beside_gpu(options), .tokens = tokens, .item_seconds = options->limits.seconds,
    };
    int status = job->shards.count ? gpu_pipeline_run(&pipeline, encoder, guard, why) : 0;
    struct gpu_batches batches;
    if (status < 0 || gpu_batches_open(&batches, encoder, job->model->dimension, tokens, why) < 0)
        return -1;
    struct embedder embedder = {.model = job->model, .gpu = &batches, .guard = guard};
    status |= embed_files(&embedder, job);
    embedder_close(&embedder);
    gpu_batches_close(&batches);
    return status;
}

/* What is said where no GPU can be used: -1 if that is the end. */
static int fall_back_to_cpu(const struct options *options, const struct reason *why)
{
    const int other = encoder_precision(options->wanted) != options->precision;
    if (options->require_gpu || other) {
        message(MESSAGE_ERROR, NULL, "USE_GPU=1: no GPU can be used: %s%s%s", why->text, other ? "; the CPU does not compute in PRECISION=" : "",
                other ? precision_name(options->wanted) : "");
        return -1;
    }
    message(MESSAGE_WARNING, NULL, "USE_GPU=1: no GPU can be used: %s; the texts are embedded on the CPU", why->text);
    return 0;
}

/* All operands, in a child of its own: nothing that belongs to a GPU is there before the fork. */
static int embed_all(struct guard *guard, void *context)
{
    const struct job *job = context;
    struct reason why;
    progress_join(PROGRESS_TEXT);
    if (!job->options->on_gpu || job->model->result != MODEL_EMBEDDINGS)
        return embed_on_cpu(guard, job);
    struct gpu_encoder *encoder = gpu_encoder_open(job->model, (int)job->options->gpu, job->options->precision, &why);
    if (!encoder)
        return fall_back_to_cpu(job->options, &why) < 0 ? 1 : embed_on_cpu(guard, job);
    const int status = run_on_gpu(guard, job, encoder, &why);
    if (status < 0)
        message(MESSAGE_ERROR, NULL, "GPU %zu: %s", job->options->gpu, why.text);
    gpu_encoder_close(encoder);
    return status < 0 ? 1 : status;
}

/* The shards among the operands, or those that --shards names; and what became of each, for all children to see. */
static int collect_shards(struct job *job, struct reason *why)
{
    const struct options *options = job->options;
    struct shard_selection selection = options->selection;
    if (selection.list) {
        selection.plan = job->operands[0];
        selection.shards = job->operands[1];
        job->count = 0;
        if (shard_files_read(&job->shards, &selection, why) < 0)
            return -1;
    } else if (!(job->shards.files = calloc((size_t)job->count / 2 + 1, sizeof *job->shards.files))) {
        return fail(why, "out of memory");
    }
    for (int i = 0; i < job->count; i += 2)
        if (is_shard(job->operands[i + 1]))
            job->shards.files[job->shards.count++] = (struct shard_file){job->operands[i], job->operands[i + 1], options->reuse};
    job->states = mmap(NULL, (job->shards.count + 1) * sizeof *job->states, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return job->states == MAP_FAILED ? fail_errno(why, "shared memory") : 0;
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
    struct job job = {.options = options, .model = model, .signature = signature, .count = count, .operands = operands};
    struct guard_limits limits = options->limits;
    if (options->on_gpu)
        limits.memory = 0; /* a GPU's driver maps more than any limit allows */
    status = collect_shards(&job, &why);
    if (status == 0)
        status = guard_run(&limits, embed_all, &job, &why);
    if (status < 0)
        message(MESSAGE_ERROR, operands[0], "%s", why.text);
    shard_files_free(&job.shards);
    return status < 0 ? 1 : status;
}

/* --gpus */
static int print_gpus(const struct options *options, const struct model_folder *model)
{
    struct reason why;
    int count = 0;
    if (model->result == MODEL_EMBEDDINGS)
        count = gpu_count(model, options->precision, &why);
    else
        fail(&why, "it gives embeddings alone");
    if (count == 0 && fall_back_to_cpu(options, &why) < 0)
        return 1;
    return printf("%d\n", count) < 0 || fflush(stdout) ? 1 : 0;
}

static int print_signature(const struct options *options, const struct model_folder *model)
{
    struct reason why;
    char signature[HASH_HEX + 1];
    int result = signature_of(model, options->precision, signature, &why);
    if (result == 0 && (puts(signature) < 0 || fflush(stdout)))
        result = fail_errno(&why, "the signature cannot be printed");
    if (result < 0)
        message(MESSAGE_ERROR, options->model, "%s", why.text);
    return result < 0;
}

int main(int argc, char **argv)
{
    struct options options = {.settings = MODEL_SETTINGS_NONE, .batch = 32, .selection = {.parts = 1}};
    struct reason why;
    if (message_init(argv[0]) < 0)
        return 2;
    int status = read_options(argc, argv, &options);
    if (status)
        return status < 0 ? 0 : status;
    if (!options.model)
        return usage_error("--model is needed");
    if (!options.signature && !options.count_gpus && (status = check_operands(argc - optind, argv + optind, &options.selection)))
        return status;
    choose_precision(&options);
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
    status = options.count_gpus  ? print_gpus(&options, model)
             : options.signature ? print_signature(&options, model)
                                 : embed_guarded(&options, model, argc - optind, argv + optind);
    model_folder_close(model);
    return status;
}
