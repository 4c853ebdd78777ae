/* plan: from INPUT to what Make needs to know. Reads the pairs, hashes their contents, cuts shards, and writes WORK_DIR/plan:
 * one list per shard and kind (item_list.h) and `<hash of the outputs>.pieces` (all pieces' names, in input order), each only if it changed, and
 * the makefile last.
 *
 * A shard's name is the hash of its items' contents, so that a target which exists is right:
 *   tok/<midi2tok's signature>/<hash of the MIDI contents>.tok, emb/<text2emb's signature>/<hash of the texts>.emb,
 *   pieces/<hash of both, the signatures, and the pairs' own fields>.piece
 *
 * INPUT is read twice, because boundaries depend on what follows: first for the boundaries, then shard by shard. Held in
 * memory are 8 bytes a pair, the stat index, three hashes a shard, and one shard's lists. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/atomic_file.h"
#include "lib/build_lock.h"
#include "lib/hash.h"
#include "lib/known_shards.h"
#include "lib/limited_items.h"
#include "lib/message.h"
#include "lib/numbers.h"
#include "lib/output_record.h"
#include "lib/pairs_input.h"
#include "lib/plan_lock.h"
#include "lib/plan_record.h"
#include "lib/run_start.h"
#include "lib/shard_cut.h"
#include "lib/shard_lists.h"
#include "lib/signature_cache.h"
#include "lib/stat_index.h"
#include "lib/text_buffer.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: plan [options] INPUT WORK_DIR\n"
    "Reads the pairs in INPUT and writes WORK_DIR/plan: the shards' lists and plan.mk.\n"
    "  --tok COMMAND, --emb COMMAND, --piece COMMAND\n"
    "                            midi2tok, text2emb and combine with their options, as the shell takes them: their\n"
    "                            --signature becomes part of the shards' names (required)\n"
    "  --depends PATH            a file or folder whose contents decide a signature (programs, model; may be repeated)\n"
    "  --batch-size N            pairs in a batch, the smallest usual shard (32)\n"
    "  --checkpoint-interval N   batches in the largest shard (10)\n"
    "  --midi-field NAME, --text-field NAME\n"
    "                            the keys in INPUT (midi_file or midi_path, text_description or text)\n"
    "  --setting SCOPE:NAME      a setting to be recorded, its value is in the environment; SCOPE: tok, emb, limits or plan,\n"
    "                            what depends on it (may be repeated)\n"
    "  --output DIR              the outputs' folder, to see whether it is current\n"
    "  --output-settings TEXT    what else decides the outputs\n"
    "  --makefile FILE           where to write the makefile (WORK_DIR/plan/plan.mk)\n"
    "  --build-of PROCESS        the make that will build: WORK_DIR is locked until it ends\n"
    "  --anew                    everything will be made again, whatever is finished\n"
    "  --look                    leave the run's counters alone: a look, perhaps beside a running build\n"
    "  --help, --version\n";

enum { TOK, EMB, PIECE, STAGES, MOST_DEPENDS = 32, MOST_SETTINGS = 64 };

struct plan {
    const char *input, *work, *output, *output_settings, *makefile;
    int look, anew;
    size_t make; /* the process that builds, 0: none does */
    const char *commands[STAGES], *depends[MOST_DEPENDS]; /* the programs with their options; what their signatures depend on */
    size_t depend_count;
    struct plan_setting settings[MOST_SETTINGS + MOST_DEPENDS]; /* those given, then the contents of `depends` */
    size_t setting_count;
    char depend_hashes[MOST_DEPENDS][HASH_HEX + 1];
    char signatures[STAGES][HASH_HEX + 1];
    struct pair_fields fields;
    size_t batch, interval;
    /* found by the first pass */
    uint64_t *path_hashes; /* [pairs] */
    size_t pairs, capacity;
    size_t *starts;
    size_t shard_count;
    /* built by the second */
    struct shard_lists *lists;
    struct known_shards *known;
    struct shard_names *shards; /* [shard_count] */
    size_t shards_done, pairs_done;
};

static uint64_t path_hash(const struct pair *pair)
{
    return hash_bytes(pair->midi, pair->midi_length).low;
}

static int note_path(void *context, const struct pair *pair, struct reason *why)
{
    struct plan *plan = context;
    if (plan->pairs == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 4096;
        uint64_t *hashes = reallocarray(plan->path_hashes, capacity, sizeof *hashes);
        if (!hashes)
            return fail(why, "out of memory");
        plan->path_hashes = hashes;
        plan->capacity = capacity;
    }
    plan->path_hashes[plan->pairs++] = path_hash(pair);
    return 0;
}

static int finish_shard(struct plan *plan, struct reason *why)
{
    struct shard_names *names = &plan->shards[plan->shards_done++];
    shard_lists_name(plan->lists, names);
    struct shard_keys keys = shard_lists_keys(plan->lists);
    if (known_shards_add(plan->known, SHARD_OF_MIDI, names->midi, keys.midi, keys.count, why) < 0 ||
        known_shards_add(plan->known, SHARD_OF_TEXT, names->text, keys.text, keys.count, why) < 0)
        return -1;
    return shard_lists_finish(plan->lists, names, why);
}

static int add_to_shard(void *context, const struct pair *pair, struct reason *why)
{
    struct plan *plan = context;
    if (pair->index >= plan->pairs || plan->path_hashes[pair->index] != path_hash(pair))
        return fail(why, "changed while it was read; run make again");
    if (pair->index > 0 && plan->shards_done + 1 < plan->shard_count && pair->index == plan->starts[plan->shards_done + 1] && finish_shard(plan, why) < 0)
        return -1;
    plan->pairs_done++;
    return shard_lists_add(plan->lists, pair, why);
}

static int cut(struct plan *plan, struct reason *why)
{
    if (pairs_read(plan->input, &plan->fields, note_path, plan, why) < 0)
        return -1;
    long count = shard_cut(plan->path_hashes, plan->pairs, plan->batch, plan->interval, &plan->starts, why);
    if (count < 0)
        return -1;
    plan->shard_count = (size_t)count;
    plan->shards = calloc(plan->shard_count + 1, sizeof *plan->shards);
    return plan->shards ? 0 : fail(why, "out of memory");
}

/* An index for each INPUT, so that alternating between two datasets rereads neither. */
static char *index_path(const struct plan *plan)
{
    char hex[HASH_HEX + 1], *path = NULL, *absolute = realpath(plan->input, NULL);
    const char *name = absolute ? absolute : plan->input;
    hash_to_hex(hash_bytes(name, strlen(name)), hex);
    free(absolute);
    return asprintf(&path, "%s/plan/%.16s.index", plan->work, hex) < 0 ? NULL : path;
}

/* A command names variables of the environment ("$PROMPT"), so their values decide its signature as well. */
static void add_setting_values(const struct plan *plan, const char *scope, struct text_buffer *values)
{
    for (size_t i = 0; i < plan->setting_count; i++)
        if (strcmp(plan->settings[i].scope, scope) == 0)
            text_printf(values, "%s=%s\n", plan->settings[i].name, plan->settings[i].value);
}

static int find_signatures(struct plan *plan, struct stat_index *index, struct reason *why)
{
    static const char *const scopes[STAGES] = {[TOK] = "tok", [EMB] = "emb", [PIECE] = "piece"};
    struct text_buffer values = {0};
    char *cache = NULL;
    if (asprintf(&cache, "%s/plan/signatures", plan->work) < 0)
        return fail(why, "out of memory");
    int result = 0;
    for (int stage = 0; result == 0 && stage < STAGES; stage++) {
        text_clear(&values);
        text_add(&values, "", 0);
        add_setting_values(plan, scopes[stage], &values);
        const struct signature_question question = {plan->commands[stage], values.bytes, plan->depends, plan->depend_count};
        result = values.failed ? fail(why, "out of memory") : signature_find(index, cache, &question, plan->signatures[stage], why);
    }
    text_free(&values);
    free(cache);
    return result;
}

static int write_shards(struct plan *plan, struct stat_index *index, struct reason *why)
{
    char *lists = NULL, *seed = NULL;
    int result = asprintf(&lists, "%s/plan", plan->work) < 0 ||
                         asprintf(&seed, "piece 1 %s %s %s", plan->signatures[TOK], plan->signatures[EMB], plan->signatures[PIECE]) < 0
                     ? fail(why, "out of memory")
                     : 0;
    struct limited_items *limited = result == 0 ? limited_items_open(lists, why) : NULL;
    struct shard_settings settings = {.input = plan->input, .lists = lists, .limited = limited, .piece_seed = seed};
    plan->lists = limited ? shard_lists_open(&settings, index, why) : NULL;
    result = plan->lists ? pairs_read(plan->input, &plan->fields, add_to_shard, plan, why) : -1;
    if (result == 0 && plan->pairs_done != plan->pairs)
        result = fail(why, "changed while it was read; run make again");
    if (result == 0 && plan->shard_count > 0)
        result = finish_shard(plan, why);
    shard_lists_close(plan->lists);
    limited_items_close(limited);
    free(lists);
    free(seed);
    return result;
}

/* What the signatures depend on, for the record. */
static int record_contents(struct plan *plan, struct stat_index *index, struct reason *why)
{
    for (size_t i = 0; i < plan->depend_count; i++) {
        struct hash contents;
        if (signature_contents(index, plan->depends[i], &contents, why) < 0)
            return -1;
        hash_to_hex(contents, plan->depend_hashes[i]);
        plan->settings[plan->setting_count++] = (struct plan_setting){"contents", plan->depends[i], plan->depend_hashes[i]};
    }
    return 0;
}

static int write_lists(struct plan *plan, struct reason *why)
{
    char *path = index_path(plan);
    struct stat_index *index = path ? stat_index_open(path, why) : NULL;
    free(path);
    if (!index)
        return path ? -1 : fail(why, "out of memory");
    int result = find_signatures(plan, index, why);
    if (result == 0)
        result = record_contents(plan, index, why);
    size_t read = stat_index_files_read(index), known = stat_index_files_known(index);
    if (result == 0)
        result = write_shards(plan, index, why);
    if (result == 0)
        result = known_shards_save(plan->known, why);
    if (result < 0) {
        stat_index_abandon(index);
        return -1;
    }
    message(MESSAGE_DEBUG, plan->input, "%zu MIDI files read, %zu unchanged since the last plan", stat_index_files_read(index) - read,
            stat_index_files_known(index) - known);
    return stat_index_close(index, why);
}

/* ---- plan.mk ---- */

static void add_hash(struct text_buffer *text, const char *before, struct hash value, const char *after)
{
    char hex[HASH_HEX + 1];
    hash_to_hex(value, hex);
    text_printf(text, "%s%s%s", before, hex, after);
}

/* The list of pieces decides the outputs, together with the settings that are no part of the pieces. */
static int write_pieces(const struct plan *plan, struct hash *outputs, struct reason *why)
{
    struct text_buffer list = {0}, seed = {0};
    char hex[HASH_HEX + 1], *path = NULL;
    for (size_t i = 0; i < plan->shard_count; i++)
        add_hash(&list, "", plan->shards[i].piece, "\n");
    text_add(&list, "", 0);
    text_printf(&seed, "outputs 1 %s\n", plan->output_settings);
    text_add(&seed, list.bytes, list.count);
    *outputs = hash_bytes(seed.bytes, seed.count);
    hash_to_hex(*outputs, hex);
    int result = list.failed || seed.failed || asprintf(&path, "%s/plan/%s.pieces", plan->work, hex) < 0
                     ? fail(why, "out of memory")
                     : atomic_file_put_if_changed(path, list.bytes, list.count, why);
    free(path);
    text_free(&list);
    text_free(&seed);
    return result;
}

static struct plan_record record_of(struct plan *plan)
{
    return (struct plan_record){
        .tok = plan->signatures[TOK], .emb = plan->signatures[EMB], .piece = plan->signatures[PIECE],
        .settings = plan->settings, .setting_count = plan->setting_count, .shards = plan->shards, .shard_count = plan->shard_count,
    };
}

static int write_record(const struct plan *plan, const struct plan_record *record, struct hash outputs, struct reason *why)
{
    char *path = list_file(plan->work, outputs, "plan");
    int result = path ? plan_record_write(path, record, why) : fail(why, "out of memory");
    free(path);
    return result;
}

static int write_plan_mk(const struct plan *plan, const char *outputs, int current, struct reason *why)
{
    struct text_buffer text = {0};
    char *path = NULL;
    text_printf(&text, "# Written by plan%s; rules.mk says what is done with it.\n", plan->look ? " to look" : "");
    text_printf(&text, "TOK_SIGNATURE := %s\nEMB_SIGNATURE := %s\n", plan->signatures[TOK], plan->signatures[EMB]);
    text_printf(&text, "TEXT_SHARDS :=");
    for (size_t i = 0; i < plan->shard_count; i++)
        add_hash(&text, " \\\n", plan->shards[i].text, "");
    text_printf(&text, "\nOUTPUTS_HASH := %s\nOUTPUTS_CURRENT := %s\nPIECES :=", outputs, current ? "yes" : "");
    for (size_t i = 0; i < plan->shard_count; i++)
        add_hash(&text, " \\\n$(WORK_DIR)/pieces/", plan->shards[i].piece, ".piece");
    text_add_string(&text, "\n");
    for (size_t i = 0; i < plan->shard_count; i++) {
        add_hash(&text, "$(WORK_DIR)/pieces/", plan->shards[i].piece, ".piece:");
        add_hash(&text, " | $(TOK_DIR)/", plan->shards[i].midi, ".tok");
        add_hash(&text, " $(EMB_DIR)/", plan->shards[i].text, ".emb\n");
    }
    int result = text.failed || asprintf(&path, plan->makefile ? "%s" : "%s/plan/plan.mk", plan->makefile ? plan->makefile : plan->work) < 0
                     ? fail(why, "out of memory")
                     : atomic_file_put_if_changed(path, text.bytes, text.count, why);
    free(path);
    text_free(&text);
    return result;
}

/* ---- what killed runs left behind ---- */

/* Sweeps a folder and, `levels` deep, those in it. */
static void sweep(const char *folder, int levels)
{
    int swept = atomic_file_sweep(folder);
    if (swept > 0)
        message(MESSAGE_DEBUG, folder, "%d temporary files of killed programs removed", swept);
    DIR *entries = levels > 0 ? opendir(folder) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char *path = NULL;
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG && asprintf(&path, "%s/%s", folder, entry->d_name) >= 0) {
            sweep(path, levels - 1);
            free(path);
        }
    }
    if (entries)
        closedir(entries);
}

/* The makefiles of earlier makes, plan-<process>.mk. Those of the last minute may still be waited for. */
static void remove_old_makefiles(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    struct stat status;
    int process, end;
    while (entries && (entry = readdir(entries))) {
        end = 0;
        if (sscanf(entry->d_name, "plan-%d.mk%n", &process, &end) == 1 && end > 0 && !entry->d_name[end] && (kill(process, 0) < 0 && errno == ESRCH) &&
            fstatat(dirfd(entries), entry->d_name, &status, 0) == 0 && status.st_mtime + 60 < time(NULL))
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    if (entries)
        closedir(entries);
}

/* After waiting, INPUT may be another than the one that was read before. */
static int lock_for_build(struct plan *plan, struct reason *why)
{
    int waited = build_lock_take(plan->work, (long)plan->make, why);
    if (waited <= 0)
        return waited;
    free(plan->starts);
    free(plan->shards);
    plan->starts = NULL;
    plan->shards = NULL;
    plan->pairs = 0;
    return cut(plan, why);
}

static int make_plan(struct plan *plan, struct reason *why)
{
    struct hash outputs;
    char hex[HASH_HEX + 1], *lists = NULL, *known = NULL;
    if (asprintf(&lists, "%s/plan", plan->work) < 0 || asprintf(&known, "%s/plan/known", plan->work) < 0)
        return fail(why, "out of memory");
    int result = cut(plan, why);
    if (result == 0)
        result = make_folders(lists, why);
    if (result == 0 && plan->make)
        result = lock_for_build(plan, why);
    if (result == 0)
        result = plan_lock(plan->work, PLAN_LOCK_SHARED, why);
    if (result == 0)
        result = (plan->known = known_shards_open(known, why)) ? 0 : -1;
    if (result == 0)
        remove_old_makefiles(lists);
    free(lists);
    free(known);
    if (result < 0)
        return -1;
    sweep(plan->work, 2);
    if (plan->output)
        sweep(plan->output, 0);
    if (write_lists(plan, why) < 0 || write_pieces(plan, &outputs, why) < 0)
        return -1;
    struct plan_record record = record_of(plan);
    if (write_record(plan, &record, outputs, why) < 0)
        return -1;
    hash_to_hex(outputs, hex);
    int current = !plan->anew && plan->output && output_record_is_current(plan->output, hex, NULL) > 0; /* in doubt they are put together again */
    if (current && !plan->look && run_keep(plan->work, &record, why) < 0)
        return -1;
    if (!current && !plan->look && run_start(plan->work, plan->input, hex, &record, plan->known, plan->anew, why) < 0)
        return -1;
    if (!current)
        build_lock_keep();
    return write_plan_mk(plan, hex, current, why);
}

/* "scope:NAME"; the text of the option becomes the two names. 0, or -1 after reporting. */
static int note_setting(struct plan *plan, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon || plan->setting_count == MOST_SETTINGS) {
        usage_error("--setting %s: %s", text, colon ? "one too many" : "SCOPE:NAME is needed");
        return -1;
    }
    *colon = 0;
    const char *value = getenv(colon + 1);
    plan->settings[plan->setting_count++] = (struct plan_setting){text, colon + 1, value ? value : ""};
    return 0;
}

int main(int argc, char **argv)
{
    enum { DEPENDS = 256, BATCH, INTERVAL, MIDI_FIELD, TEXT_FIELD, OUTPUT, OUTPUT_SETTINGS, SETTING, MAKEFILE, BUILD_OF, ANEW, LOOK, HELP, VERSION };
    static const struct option options[] = {
        {"tok", required_argument, NULL, TOK},
        {"emb", required_argument, NULL, EMB},
        {"piece", required_argument, NULL, PIECE},
        {"depends", required_argument, NULL, DEPENDS},
        {"batch-size", required_argument, NULL, BATCH},
        {"checkpoint-interval", required_argument, NULL, INTERVAL},
        {"midi-field", required_argument, NULL, MIDI_FIELD},
        {"text-field", required_argument, NULL, TEXT_FIELD},
        {"setting", required_argument, NULL, SETTING},
        {"output", required_argument, NULL, OUTPUT},
        {"output-settings", required_argument, NULL, OUTPUT_SETTINGS},
        {"makefile", required_argument, NULL, MAKEFILE},
        {"build-of", required_argument, NULL, BUILD_OF},
        {"anew", no_argument, NULL, ANEW},
        {"look", no_argument, NULL, LOOK},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    struct plan plan = {.output_settings = "", .batch = 32, .interval = 10};
    struct reason why;
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case TOK:
        case EMB:
        case PIECE: plan.commands[option] = optarg; break;
        case DEPENDS:
            if (plan.depend_count == MOST_DEPENDS)
                return usage_error("more than %d times --depends", MOST_DEPENDS);
            plan.depends[plan.depend_count++] = optarg;
            break;
        case BATCH:
            if (whole_number(optarg, 1, 1 << 20, &plan.batch) < 0)
                return usage_error("BATCH_SIZE=%s: a whole number from 1 to %d is needed", optarg, 1 << 20);
            break;
        case INTERVAL:
            if (whole_number(optarg, 1, 1 << 20, &plan.interval) < 0)
                return usage_error("CHECKPOINT_INTERVAL=%s: a whole number from 1 to %d is needed", optarg, 1 << 20);
            break;
        case MIDI_FIELD: plan.fields.midi = *optarg ? optarg : NULL; break;
        case TEXT_FIELD: plan.fields.text = *optarg ? optarg : NULL; break;
        case SETTING:
            if (note_setting(&plan, optarg) < 0)
                return 2;
            break;
        case OUTPUT: plan.output = optarg; break;
        case OUTPUT_SETTINGS: plan.output_settings = optarg; break;
        case MAKEFILE: plan.makefile = optarg; break;
        case BUILD_OF:
            if (whole_number(optarg, 2, 1 << 30, &plan.make) < 0)
                return usage_error("--build-of %s: the number of a process is needed", optarg);
            break;
        case ANEW: plan.anew = 1; break;
        case LOOK: plan.look = 1; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("INPUT and WORK_DIR are needed");
    if (!plan.commands[TOK] || !plan.commands[EMB] || !plan.commands[PIECE])
        return usage_error("--tok, --emb and --piece are needed");
    plan.input = argv[optind];
    plan.work = argv[optind + 1];
    int result = make_plan(&plan, &why);
    if (result < 0)
        message(MESSAGE_ERROR, plan.input, "%s", why.text);
    known_shards_close(plan.known);
    free(plan.path_hashes);
    free(plan.starts);
    free(plan.shards);
    return result < 0 ? 1 : 0;
}
