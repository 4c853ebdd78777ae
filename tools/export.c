/* export: what is finished as JSON checkpoints, in the form of the earlier Python system (checkpoint_record.h).
 *
 * MIDI records come from every finished .tok shard of the plan, text records from every finished .emb shard, in input order; the two stages
 * need not be equally far. Quarantined items have no record: they are not done. Only one shard is held in memory. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/amounts.h"
#include "lib/atomic_file.h"
#include "lib/checkpoint_record.h"
#include "lib/clean_text.h"
#include "lib/grow.h"
#include "lib/hash.h"
#include "lib/item_json.h"
#include "lib/message.h"
#include "lib/numbers.h"
#include "lib/pair_list.h"
#include "lib/plan_record.h"
#include "lib/progress.h"
#include "lib/shard.h"
#include "lib/text_buffer.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: export [options] WORK_DIR PLAN MIDI_OUT TEXT_OUT PROCESSING_OUT\n"
    "Writes what is finished of PLAN as JSON checkpoints: tokens, embeddings, and how far the pairs are.\n"
    "  --batch-size N     pairs in a batch, for the counts (32)\n"
    "  --progress FILE    the last run's counters, for its times and speeds\n"
    "  --help, --version\n";

struct export {
    const char *work;
    struct plan_record plan;
    size_t batch, pairs;
    struct progress_figures run;
    int has_run;
    unsigned char *finished[SHARD_KINDS]; /* [shards] */
    /* of the file that is being written */
    enum shard_kind kind;
    struct atomic_file *file;
    struct text_buffer record;
    size_t records, pairs_done;
};

/* ---- one record ---- */

struct source {
    const struct shard *shard;
    struct item_tokens tokens;
    const float *embedding;  /* [n, dimension] */
    const int32_t *n_tokens; /* [n] */
    uint64_t dimension;
    char name[HASH_HEX + 1];
    uint64_t *sequences; /* of the item at hand, one list a track: rows of each */
    size_t sequence_capacity;
};

static int open_source(struct source *source, enum shard_kind kind, const struct shard *shard, struct hash name, struct reason *why)
{
    uint64_t shape[2];
    *source = (struct source){.shard = shard};
    hash_to_hex(name, source->name);
    if (kind == SHARD_OF_MIDI)
        return item_tokens_open(shard, &source->tokens, why);
    source->n_tokens = shard_tensor(shard, "n_tokens", SHARD_I32, shape);
    source->embedding = shard_tensor(shard, "embedding", SHARD_F32, shape);
    source->dimension = shape[1];
    return source->embedding && source->n_tokens ? 0 : fail(why, "no embeddings in f32; checkpoints hold no others (TEXT_OUTPUT, EMBEDDING_TYPE)");
}

static void add_statement(struct text_buffer *out, const struct source *source, struct hash key, struct hash check)
{
    char key_hex[HASH_HEX + 1], check_hex[HASH_HEX + 1];
    hash_to_hex(key, key_hex);
    hash_to_hex(check, check_hex);
    text_printf(out, "\"reprise\":{\"key\":\"%s\",\"shard\":\"%s\",\"check\":\"%s\"", key_hex, source->name, check_hex);
}

/* How the item's tokens lie in the shard. 0, -1 without memory. */
static int lay_out(struct source *source, size_t item, struct token_layout *layout)
{
    const struct item_tokens *tokens = &source->tokens;
    struct reason ignored;
    *layout = (struct token_layout){.ids = tokens->ids + (uint64_t)tokens->offsets[item] * tokens->vocabularies, .vocabularies = tokens->vocabularies,
                                    .rows = item_tokens_count(tokens, item)};
    if (!tokens->sequences || !tokens->item_sequences)
        return 0;
    const int64_t *offsets = tokens->sequences + tokens->item_sequences[item];
    layout->sequence_count = (size_t)(tokens->item_sequences[item + 1] - tokens->item_sequences[item]);
    if (GROW(source->sequences, source->sequence_capacity, layout->sequence_count + 1, &ignored) < 0)
        return -1;
    for (size_t i = 0; i < layout->sequence_count; i++)
        source->sequences[i] = (uint64_t)(offsets[i + 1] - offsets[i]);
    layout->sequences = source->sequences;
    return 0;
}

static int add_midi_record_of(struct text_buffer *out, struct source *source, size_t item, const struct listed_pair *pair)
{
    struct hash key = shard_item_key(source->shard, item);
    struct token_layout layout;
    struct text_buffer members = {0};
    add_recorded_members(&members, shard_item_json(source->shard, item));
    struct hash check = {0};
    int failed = lay_out(source, item, &layout) < 0 || check_of_tokens(key, &layout, members.bytes, members.count, &check) < 0;
    text_add_string(out, "{\"file_path\":");
    text_add(out, pair->midi_file.text, pair->midi_file.length);
    text_add_string(out, ",\"tokens\":");
    add_item_tokens(out, &source->tokens, item);
    text_printf(out, ",\"sequence_length\":%zu,\"metadata\":", item_tokens_count(&source->tokens, item));
    add_midi_metadata(out, source->shard, item, pair->midi_file);
    text_add_string(out, ",");
    add_statement(out, source, key, check);
    if (source->tokens.vocabularies > 1)
        text_printf(out, ",\"vocabularies\":%llu", (unsigned long long)source->tokens.vocabularies);
    text_add_string(out, source->tokens.sequences ? ",\"sequences\":true}}" : "}}");
    failed |= members.failed;
    text_free(&members);
    return failed ? -1 : 0;
}

static int add_text_record_of(struct text_buffer *out, const struct source *source, size_t item, const struct listed_pair *pair)
{
    struct text_buffer text = {0}, cleaned = {0};
    struct reason ignored;
    struct hash key = shard_item_key(source->shard, item), check = {0};
    const float *row = source->embedding + item * source->dimension;
    int result = json_decode_string(pair->text, &text);
    text_add(&text, "", 0);
    text_add(&cleaned, "", 0);
    if (result == 0 && !text.failed && !cleaned.failed)
        result = clean_text(text.bytes, text.count, &cleaned, &ignored);
    if (result == 0)
        result = check_of_embedding(key, row, source->dimension, source->n_tokens[item], &check);
    if (result == 0 && !text.failed && !cleaned.failed) {
        text_add_string(out, "{\"original_text\":");
        text_add(out, pair->text.text, pair->text.length);
        text_add_string(out, ",\"cleaned_text\":");
        text_add_json_string(out, cleaned.bytes, cleaned.count);
        text_add_string(out, ",\"embedding\":");
        add_embedding(out, row, source->dimension);
        text_add_string(out, ",");
        add_statement(out, source, key, check);
        text_printf(out, ",\"n_tokens\":%d}}", source->n_tokens[item]);
    } else {
        result = -1;
    }
    text_free(&text);
    text_free(&cleaned);
    return result;
}

/* ---- one shard ---- */

static int export_items(struct export *export, struct source *source, struct pair_list *pairs, struct reason *why)
{
    struct listed_pair pair;
    int more;
    size_t item = 0;
    for (; (more = pair_list_next(pairs, &pair, why)) > 0; item++) {
        if (item >= shard_items(source->shard))
            return fail(why, "more pairs than items");
        if (shard_item_error(source->shard, item))
            continue;
        text_clear(&export->record);
        text_add_string(&export->record, export->records++ ? ",\n" : "\n");
        int result = export->kind == SHARD_OF_MIDI ? add_midi_record_of(&export->record, source, item, &pair)
                                                   : add_text_record_of(&export->record, source, item, &pair);
        if (result < 0 || export->record.failed)
            return fail(why, "a record cannot be written: out of memory");
        atomic_file_write(export->file, export->record.bytes, export->record.count);
    }
    return more < 0 ? -1 : item == shard_items(source->shard) ? 0 : fail(why, "fewer pairs than items");
}

/* A shard that turns out to be damaged, and so has been set aside, or is taken away meanwhile, is not finished: 1. 0, or -1 after reporting. */
static int export_shard(struct export *export, const struct shard_names *names)
{
    const struct hash name = export->kind == SHARD_OF_MIDI ? names->midi : names->text;
    char *path = shard_file(export->work, export->kind, export->kind == SHARD_OF_MIDI ? export->plan.tok : export->plan.emb, name);
    char *list = list_file(export->work, names->piece, "pairs");
    struct pair_list *pairs = NULL;
    struct source source = {0};
    struct reason why;
    struct shard *shard = path && list ? shard_open(path, shard_format(export->kind), &why) : NULL;
    int result = -1;
    if (!path || !list) {
        message(MESSAGE_ERROR, NULL, "out of memory");
    } else if (!shard) {
        result = is_there(path, NULL) == 0 ? 1 : -1;
        message(result > 0 ? MESSAGE_WARNING : MESSAGE_ERROR, path, "%s%s", result > 0 ? "left out: " : "", why.text);
    } else if (!(pairs = pair_list_open(list, &why)) || open_source(&source, export->kind, shard, name, &why) < 0 ||
               export_items(export, &source, pairs, &why) < 0) {
        message(MESSAGE_ERROR, pairs ? path : list, "%s", why.text);
    } else {
        export->pairs_done += names->pairs;
        result = 0;
    }
    pair_list_close(pairs);
    shard_close(shard);
    free(source.sequences);
    free(path);
    free(list);
    return result;
}

/* ---- one checkpoint ---- */

/* The last pair, from 0, up to which everything is finished; -1: not even the first. */
static long long last_in_order(const struct export *export, unsigned kinds)
{
    long long last = -1;
    for (size_t i = 0; i < export->plan.shard_count; i++) {
        for (int kind = 0; kind < SHARD_KINDS; kind++)
            if ((kinds & 1u << kind) && !export->finished[kind][i])
                return last;
        last += (long long)export->plan.shards[i].pairs;
    }
    return last;
}

/* The times are the last run's, summed over its processes: the seconds that the stage took, and the items a second. 0: it had nothing to do. */
static void add_tail(const struct export *export, struct text_buffer *out)
{
    char now[AMOUNT];
    int midi = export->kind == SHARD_OF_MIDI;
    enum progress_stage stage = midi ? PROGRESS_MIDI : PROGRESS_TEXT;
    double seconds = export->has_run ? export->run.busy_seconds[stage] : 0, done = export->has_run ? (double)export->run.done[stage] : 0;
    text_printf(out, "\n],\n\"last_processed_idx\":%lld,\"total_files\":%zu,", last_in_order(export, 1u << export->kind), export->pairs);
    text_printf(out, "\"timestamp\":\"%s\"", format_now(now));
    text_printf(out, ",\n\"batch_info\":{\"current_batch\":%zu,\"total_batches\":%zu,\"batch_size\":%zu,\"processing_time\":%.6f,\"%s\":%.6f}}\n",
                (export->pairs_done + export->batch - 1) / export->batch, (export->pairs + export->batch - 1) / export->batch, export->batch, seconds,
                midi ? "files_per_second" : "texts_per_second", seconds > 0 ? done / seconds : 0);
}

static int export_stage(struct export *export, enum shard_kind kind, const char *out)
{
    struct reason why;
    struct text_buffer text = {0};
    export->kind = kind;
    export->records = export->pairs_done = 0;
    if (!(export->file = atomic_file_open(out, &why))) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return -1;
    }
    atomic_file_printf(export->file, "{\"reprise\":{\"format\":\"" CHECKPOINT_FORMAT "\",\"kind\":\"%s\",\"signature\":\"%s\"},\n\"processed_data\":[",
                       kind == SHARD_OF_MIDI ? "midi" : "text", kind == SHARD_OF_MIDI ? export->plan.tok : export->plan.emb);
    for (size_t i = 0; i < export->plan.shard_count; i++) {
        int result = export->finished[kind][i] ? export_shard(export, &export->plan.shards[i]) : 1;
        if (result < 0) {
            atomic_file_abandon(export->file);
            return -1;
        }
        export->finished[kind][i] = result == 0;
    }
    add_tail(export, &text);
    if (text.failed) {
        text_free(&text);
        atomic_file_abandon(export->file);
        message(MESSAGE_ERROR, out, "out of memory");
        return -1;
    }
    atomic_file_write(export->file, text.bytes, text.count);
    text_free(&text);
    if (atomic_file_commit_keeping_backup(export->file, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return -1;
    }
    if (message_shown(MESSAGE_INFO))
        printf("Reprise: %s: %zu of %zu %s\n", out, export->records, export->pairs, kind == SHARD_OF_MIDI ? "MIDI files" : "texts");
    return 0;
}

static int export_processing(const struct export *export, const char *out)
{
    struct reason why;
    struct atomic_file *file = atomic_file_open(out, &why);
    if (file)
        atomic_file_printf(file, "{\"last_processed_idx\": %lld}\n", last_in_order(export, 1u << SHARD_OF_MIDI | 1u << SHARD_OF_TEXT));
    if (file && atomic_file_commit_keeping_backup(file, &why) == 0)
        return 0;
    message(MESSAGE_ERROR, NULL, "%s", why.text);
    return -1;
}

/* ---- the program ---- */

static int find_finished(struct export *export, struct reason *why)
{
    for (int kind = 0; kind < SHARD_KINDS; kind++) {
        if (!(export->finished[kind] = calloc(export->plan.shard_count + 1, 1)))
            return fail(why, "out of memory");
        for (size_t i = 0; i < export->plan.shard_count; i++) {
            const struct shard_names *names = &export->plan.shards[i];
            char *path = shard_file(export->work, (enum shard_kind)kind, kind == SHARD_OF_MIDI ? export->plan.tok : export->plan.emb,
                                    kind == SHARD_OF_MIDI ? names->midi : names->text);
            int there = is_there(path, why);
            free(path);
            if (there < 0)
                return -1;
            export->finished[kind][i] = (unsigned char)there;
        }
    }
    for (size_t i = 0; i < export->plan.shard_count; i++)
        export->pairs += export->plan.shards[i].pairs;
    return 0;
}

static int export_all(struct export *export, const char *plan, char *const outs[])
{
    struct reason why;
    if (plan_record_read(plan, &export->plan, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return -1;
    }
    int result = find_finished(export, &why);
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    if (result == 0)
        result = export_stage(export, SHARD_OF_MIDI, outs[0]);
    if (result == 0)
        result = export_stage(export, SHARD_OF_TEXT, outs[1]);
    if (result == 0)
        result = export_processing(export, outs[2]);
    for (int kind = 0; kind < SHARD_KINDS; kind++)
        free(export->finished[kind]);
    text_free(&export->record);
    plan_record_free(&export->plan);
    return result;
}

int main(int argc, char **argv)
{
    enum { BATCH = 256, PROGRESS, HELP, VERSION };
    static const struct option options[] = {
        {"batch-size", required_argument, NULL, BATCH},
        {"progress", required_argument, NULL, PROGRESS},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    struct export export = {.batch = 32};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case BATCH:
            if (whole_number(optarg, 1, 1 << 20, &export.batch) < 0)
                return usage_error("BATCH_SIZE=%s: a whole number from 1 to %d is needed", optarg, 1 << 20);
            break;
        case PROGRESS:
            export.has_run = progress_read(optarg, &export.run) == 0;
            if (!export.has_run && errno != 0 && errno != ENOENT)
                message(MESSAGE_WARNING, optarg, "%s; the last run's times and speeds are not known", strerror(errno));
            break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 5)
        return usage_error("WORK_DIR, PLAN and three files to write are needed");
    for (int i = optind + 2; i < argc; i++)
        if (strcmp(argv[i], "-") == 0)
            return usage_error("checkpoints are files; they are not written to the terminal");
    export.work = argv[optind];
    return export_all(&export, argv[optind + 1], argv + optind + 2) < 0 ? 1 : 0;
}
