/* stats: counts what a run has made. Reads every piece once and writes processing_stats.json (OUT) and, with --errors, one line per failure.
 * With --record it then notes that the outputs are complete, as the last step of a run, and prints the summary. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/amounts.h"
#include "lib/atomic_file.h"
#include "lib/failure_tally.h"
#include "lib/hash.h"
#include "lib/journal.h"
#include "lib/json_stream.h"
#include "lib/message.h"
#include "lib/output_record.h"
#include "lib/piece.h"
#include "lib/piece_names.h"
#include "lib/plan_record.h"
#include "lib/progress.h"
#include "lib/text_buffer.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: stats --pieces DIR [options] LIST OUT\n"
    "Counts the pieces named in LIST and writes the statistics to OUT (JSON).\n"
    "  --errors FILE      also write every failure, one JSON object a line\n"
    "  --work WORK_DIR    its counters and journal give this run's times and speeds, and those of the runs before it\n"
    "  --partial PLAN     LIST holds only what is finished of this plan: say so, and what is missing of it (needs --work)\n"
    "  --record HASH      when all is written: note in OUT's folder that its files are the outputs of this hash\n"
    "  --file NAME        a file of that folder which belongs to the record (may be repeated)\n"
    "  --help, --version\n";

enum { MOST_FILES = 16, SHOWN_REASONS = 8 };

struct totals {
    struct piece_counts counts;
    size_t shards;
    struct failure_tally tally;
    struct progress_figures run;
    int has_run;
    struct all_runs { size_t count; double seconds; } all_runs; /* that these outputs took, this one too */
    /* of a partial result: the plan, the next of its shards, and the pairs of those before it */
    const struct plan_record *plan;
    size_t next_shard, pairs_before;
    struct missing { size_t shards, pairs, midi, text; } missing;
};

/* Where in INPUT the pairs of this piece begin. Finished pieces stand in the order of the plan, with gaps. */
static size_t first_pair(struct totals *totals, const char *path)
{
    const struct plan_record *plan = totals->plan;
    struct hash name;
    if (!plan || hash_from_hex(strrchr(path, '/') + 1, &name) < 0)
        return totals->counts.pairs;
    while (totals->next_shard < plan->shard_count && !hash_equal(plan->shards[totals->next_shard].piece, name))
        totals->pairs_before += plan->shards[totals->next_shard++].pairs;
    size_t first = totals->pairs_before;
    if (totals->next_shard < plan->shard_count)
        totals->pairs_before += plan->shards[totals->next_shard++].pairs;
    return first;
}

/* One element of a piece's errors, with the pair's place in the whole input. */
static int add_failure(struct totals *totals, size_t first, struct json_span object, struct atomic_file *errors, struct reason *why)
{
    struct json_span key, value;
    struct text_buffer line = {0}, stage = {0}, reason = {0};
    int result = 0;
    piece_error_line(object, first, &line);
    for (const char *cursor = object.text; json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "stage"))
            result |= json_decode_string(value, &stage);
        if (json_string_is(key, "error"))
            result |= json_decode_string(value, &reason);
    }
    if (line.failed || stage.failed || reason.failed)
        result = fail(why, "out of memory");
    else if (result < 0 || !stage.bytes || !reason.bytes)
        result = fail(why, "a failure cannot be read");
    else
        result = failure_tally_add(&totals->tally, stage.bytes, reason.bytes, why);
    if (result == 0 && errors)
        atomic_file_write(errors, line.bytes, line.count);
    text_free(&line);
    text_free(&stage);
    text_free(&reason);
    return result;
}

static int add_piece(struct totals *totals, size_t first, const struct piece *piece, struct atomic_file *errors, struct reason *why)
{
    struct json_span object;
    for (const char *cursor = piece->errors.text; json_next_element(&cursor, &object);)
        if (add_failure(totals, first, object, errors, why) < 0)
            return -1;
    struct piece_counts *sum = &totals->counts;
    sum->pairs += piece->counts.pairs;
    sum->items += piece->counts.items;
    sum->midi_done += piece->counts.midi_done;
    sum->text_done += piece->counts.text_done;
    sum->tokens += piece->counts.tokens;
    sum->notes += piece->counts.notes;
    sum->seconds += piece->counts.seconds;
    sum->embedding_size = piece->counts.embedding_size;
    totals->shards++;
    return 0;
}

/* 0, or -1 after reporting. */
static int count_pieces(struct totals *totals, const char *folder, const char *list, struct atomic_file *errors)
{
    struct piece_names names;
    struct piece piece = {0};
    struct reason why;
    char *path = NULL;
    int more = piece_names_open(&names, folder, list, &why);
    if (more == 0)
        while ((more = piece_names_next(&names, &path, &why)) > 0)
            if (piece_read(path, &piece, &why) < 0 || add_piece(totals, first_pair(totals, path), &piece, errors, &why) < 0)
                break;
    if (more != 0)
        message(MESSAGE_ERROR, more > 0 ? path : list, "%s", why.text);
    piece_free(&piece);
    piece_names_close(&names);
    return more == 0 ? 0 : -1;
}

/* What the plan has and the finished shards have not. 0, or -1 with `why`. */
static int count_missing(struct totals *totals, const char *work, struct reason *why)
{
    int tok_there = 0, emb_there = 0;
    const struct plan_record *plan = totals->plan;
    struct missing *missing = &totals->missing;
    for (size_t i = 0; tok_there >= 0 && emb_there >= 0 && i < plan->shard_count; i++) {
        const struct shard_names *shard = &plan->shards[i];
        char *tok = shard_file(work, SHARD_OF_MIDI, plan->tok, shard->midi), *emb = shard_file(work, SHARD_OF_TEXT, plan->emb, shard->text);
        tok_there = is_there(tok, why);
        emb_there = tok_there < 0 ? 0 : is_there(emb, why);
        missing->midi += tok_there ? 0 : shard->pairs;
        missing->text += emb_there ? 0 : shard->pairs;
        missing->pairs += shard->pairs;
        free(tok);
        free(emb);
    }
    missing->pairs -= totals->counts.pairs;
    missing->shards = plan->shard_count - totals->shards;
    return tok_there < 0 || emb_there < 0 ? -1 : 0;
}

/* The runs since these outputs were last complete. */
static void count_runs(struct totals *totals, const char *work, const char *outputs)
{
    struct journal journal;
    struct reason why;
    const long long now = journal_run_of(&totals->run);
    totals->all_runs = (struct all_runs){1, totals->run.wall_seconds};
    if (journal_read(work, &journal, &why) < 0) {
        message(MESSAGE_WARNING, NULL, "%s; it is not used", why.text);
        return;
    }
    for (size_t i = journal.count; i > 0; i--) {
        const struct journal_run *run = &journal.runs[i - 1];
        if (run->run == now || strcmp(run->outputs, outputs) != 0)
            continue;
        if (run->state == JOURNAL_COMPLETE)
            break;
        totals->all_runs.count++;
        totals->all_runs.seconds += run->seconds;
    }
    journal_free(&journal);
}

/* Items that finished shards held, and those that this run has made. */
static unsigned long long held_before(const struct progress_figures *run, enum progress_stage stage)
{
    return run->finished[stage] + run->copied[stage];
}

static unsigned long long made(const struct progress_figures *run, enum progress_stage stage)
{
    return run->done[stage] - run->copied[stage];
}

static double speed(const struct totals *totals, enum progress_stage stage)
{
    return totals->has_run ? progress_speed(&totals->run, stage) : 0;
}

static void add_speed(struct text_buffer *json, const char *name, double value)
{
    text_printf(json, "\"%s\": ", name);
    if (value > 0)
        text_printf(json, "%.4g", value);
    else
        text_add_string(json, "null"); /* nothing of the kind was left to do in this run */
}

static void add_failures(struct text_buffer *json, const struct failure_tally *tally)
{
    text_add_string(json, "  \"failures\": [");
    for (size_t i = 0; i < tally->count; i++) {
        const struct failure *failure = &tally->failures[i];
        text_printf(json, "%s\n    {\"stage\": \"%s\", \"reason\": ", i ? "," : "", failure->stage);
        text_add_json_string(json, failure->reason, strlen(failure->reason));
        text_printf(json, ", \"count\": %zu}", failure->count);
    }
    text_add_string(json, tally->count ? "\n  ]\n" : "]\n");
}

static double percent(size_t part, size_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static void add_run(struct text_buffer *json, const struct totals *totals)
{
    const struct progress_figures *run = &totals->run;
    text_printf(json, "  \"processing_time\": %.3f,\n  \"checkpoint_info\": {\n    \"shards\": %zu,\n", totals->has_run ? run->wall_seconds : 0.0, totals->shards);
    text_printf(json, "    \"midi_files_from_checkpoints\": %llu,\n    \"midi_files_this_run\": %llu,\n", held_before(run, PROGRESS_MIDI),
                made(run, PROGRESS_MIDI));
    text_printf(json, "    \"texts_from_checkpoints\": %llu,\n    \"texts_this_run\": %llu,\n", held_before(run, PROGRESS_TEXT),
                made(run, PROGRESS_TEXT));
    text_printf(json, "    \"runs\": %zu,\n    \"processing_time_all_runs\": %.3f\n  },\n", totals->all_runs.count, totals->all_runs.seconds);
    text_add_string(json, "  \"speed\": {");
    add_speed(json, "midi_files_per_second", speed(totals, PROGRESS_MIDI));
    text_add_string(json, ", ");
    add_speed(json, "texts_per_second", speed(totals, PROGRESS_TEXT));
    text_add_string(json, "},\n");
}

static void build_statistics(struct text_buffer *json, const struct totals *totals)
{
    const struct piece_counts *counts = &totals->counts;
    char now[AMOUNT];
    text_add_string(json, "{\n");
    if (totals->plan)
        text_printf(json, "  \"partial\": true,\n  \"missing\": {\"shards\": %zu, \"pairs\": %zu, \"midi_files\": %zu, \"texts\": %zu},\n", totals->missing.shards,
                    totals->missing.pairs, totals->missing.midi, totals->missing.text);
    text_printf(json, "  \"total_paired_items\": %zu,\n  \"processed_items\": %zu,\n  \"success_rate\": %.6g,\n", counts->pairs, counts->items,
                percent(counts->items, counts->pairs));
    text_printf(json, "  \"midi_files_processed\": %zu,\n  \"text_files_processed\": %zu,\n", counts->midi_done, counts->text_done);
    text_printf(json, "  \"timestamp\": \"%s\",\n", format_now(now));
    if (!totals->plan)
        add_run(json, totals); /* a partial result is of no run */
    text_printf(json, "  \"tokens\": %llu,\n  \"notes\": %llu,\n  \"music_seconds\": %.3f,\n  \"embedding_size\": %zu,\n", counts->tokens, counts->notes,
                counts->seconds, counts->embedding_size);
    add_failures(json, &totals->tally);
    text_add_string(json, "}\n");
}

static void print_stage(const char *name, size_t pairs, size_t done, unsigned long long this_run, double per_second, const char *unit)
{
    printf("  %-11s %9zu   done %9zu   quarantined %6zu   ", name, pairs, done, pairs - done);
    if (per_second > 0)
        printf("%.*f %s/s (%llu in this run)\n", per_second < 100 ? 1 : 0, per_second, unit, this_run);
    else
        printf("all from finished shards\n");
}

static void print_summary(const struct totals *totals, const char *folder)
{
    const struct piece_counts *counts = &totals->counts;
    fputs(progress_eraser(), stderr);
    printf("Reprise: %s is complete\n", folder);
    printf("  %-11s %9zu   done %9zu   left out    %6zu   %.1f s\n", "pairs", counts->pairs, counts->items, counts->pairs - counts->items,
           totals->has_run ? totals->run.wall_seconds : 0.0);
    print_stage("MIDI files", counts->pairs, counts->midi_done, made(&totals->run, PROGRESS_MIDI), speed(totals, PROGRESS_MIDI), "files");
    print_stage("texts", counts->pairs, counts->text_done, made(&totals->run, PROGRESS_TEXT), speed(totals, PROGRESS_TEXT), "texts");
    printf("  %llu tokens, %.1f hours of music", counts->tokens, counts->seconds / 3600);
    if (counts->embedding_size > 0)
        printf(", embeddings of %zu numbers", counts->embedding_size);
    printf("\n");
    if (totals->tally.count > 0)
        printf("  quarantined, by reason (errors.jsonl names each):\n");
    for (size_t i = 0; i < totals->tally.count && i < SHOWN_REASONS; i++)
        printf("    %6zu  %s%s%s\n", totals->tally.failures[i].count, totals->tally.failures[i].stage, *totals->tally.failures[i].stage ? ": " : "",
               totals->tally.failures[i].reason);
    if (totals->tally.count > SHOWN_REASONS)
        printf("            … and %zu more reasons, in processing_stats.json\n", totals->tally.count - SHOWN_REASONS);
    fflush(stdout); /* a closed terminal or pipe takes nothing away: all files are written */
}

static void print_partial_summary(const struct totals *totals, const char *out)
{
    const struct missing *missing = &totals->missing;
    printf("Reprise: %s: %zu items of the %zu pairs in finished shards; missing: %zu pairs (%zu MIDI files and %zu texts to do)\n", out, totals->counts.items,
           totals->counts.pairs, missing->pairs, missing->midi, missing->text);
    fflush(stdout);
}

struct settings {
    const char *partial, *work;
    const char *pieces, *errors, *record, *list, *out;
    const char *files[MOST_FILES];
    size_t file_count;
};

static int write_statistics(const struct settings *settings, const struct totals *totals, struct reason *why)
{
    struct text_buffer json = {0};
    build_statistics(&json, totals);
    struct atomic_file *file = json.failed ? NULL : atomic_file_open(settings->out, why);
    if (json.failed)
        fail(why, "%s: out of memory", settings->out);
    if (file)
        atomic_file_write(file, json.bytes, json.count);
    text_free(&json);
    return file ? atomic_file_commit_keeping_backup(file, why) : -1;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

static int read_run(const struct settings *settings, struct totals *totals, struct reason *why)
{
    char *counters = NULL;
    if (asprintf(&counters, "%s/progress", settings->work) < 0)
        return fail(why, "out of memory");
    totals->has_run = progress_read(counters, &totals->run) == 0;
    if (totals->has_run && settings->record)
        count_runs(totals, settings->work, settings->record);
    free(counters);
    return 0;
}

static int run(const struct settings *settings, struct totals *totals)
{
    struct reason why;
    struct atomic_file *errors = NULL;
    if (settings->work && !settings->partial && read_run(settings, totals, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return -1;
    }
    if (settings->errors && !(errors = atomic_file_open(settings->errors, &why))) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return -1;
    }
    if (count_pieces(totals, settings->pieces, settings->list, errors) < 0) {
        atomic_file_abandon(errors);
        return -1;
    }
    failure_tally_sort(&totals->tally);
    char *folder = folder_of(settings->out);
    int result = folder ? 0 : fail(&why, "out of memory");
    if (result == 0 && totals->plan)
        result = count_missing(totals, settings->work, &why);
    if (errors && result == 0)
        result = atomic_file_commit_synced(errors, &why);
    else
        atomic_file_abandon(errors);
    if (result == 0)
        result = write_statistics(settings, totals, &why);
    if (result == 0 && settings->record)
        result = output_record_write(folder, settings->record, settings->files, settings->file_count, &why);
    if (result == 0 && settings->record && totals->has_run)
        journal_end(settings->work, &totals->run, JOURNAL_COMPLETE);
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    else if (totals->plan && message_shown(MESSAGE_INFO))
        print_partial_summary(totals, folder);
    else if (message_shown(MESSAGE_INFO))
        print_summary(totals, folder);
    free(folder);
    return result;
}

int main(int argc, char **argv)
{
    enum { PIECES = 256, ERRORS, PARTIAL, WORK, RECORD, FILE_NAME, HELP, VERSION };
    static const struct option options[] = {
        {"pieces", required_argument, NULL, PIECES},
        {"errors", required_argument, NULL, ERRORS},
        {"partial", required_argument, NULL, PARTIAL},
        {"work", required_argument, NULL, WORK},
        {"record", required_argument, NULL, RECORD},
        {"file", required_argument, NULL, FILE_NAME},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    struct settings settings = {0};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case PIECES: settings.pieces = optarg; break;
        case ERRORS: settings.errors = optarg; break;
        case PARTIAL: settings.partial = optarg; break;
        case WORK: settings.work = optarg; break;
        case RECORD: settings.record = optarg; break;
        case FILE_NAME:
            if (settings.file_count == MOST_FILES)
                return usage_error("more than %d files", MOST_FILES);
            settings.files[settings.file_count++] = optarg;
            break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2 || !settings.pieces || strcmp(argv[optind + 1], "-") == 0)
        return usage_error("--pieces, LIST and OUT are needed");
    if (settings.partial && (!settings.work || settings.record))
        return usage_error("--partial needs --work, and is never the record of a complete result");
    settings.list = argv[optind];
    settings.out = argv[optind + 1];
    struct totals totals = {0};
    struct plan_record plan = {0};
    struct reason why;
    if (settings.partial && plan_record_read(settings.partial, &plan, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 1;
    }
    totals.plan = settings.partial ? &plan : NULL;
    int result = run(&settings, &totals);
    if (settings.partial)
        plan_record_free(&plan);
    failure_tally_free(&totals.tally);
    return result < 0 ? 1 : 0;
}
