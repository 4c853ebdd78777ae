/* status: what is finished, missing and stale, how fast the last run was, and how long it will take to finish. Looks only, also beside a running
 * build: shards are counted by their headers, nothing is verified (verify does that). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/amounts.h"
#include "lib/build_lock.h"
#include "lib/file_walk.h"
#include "lib/hash_set.h"
#include "lib/journal.h"
#include "lib/message.h"
#include "lib/output_record.h"
#include "lib/plan_record.h"
#include "lib/progress.h"
#include "lib/shard.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: status [options] WORK_DIR HASH\n"
    "Prints what is finished and what is missing of the plan whose outputs have this hash.\n"
    "  --output DIR   the outputs' folder\n"
    "  --cache DIR    the cache of finished shards\n"
    "  --help, --version\n";

enum stage { MIDI, TEXT, PIECES, STAGES };
static const char *const stage_names[STAGES] = {"MIDI", "text", "pieces"}, *const stage_folders[STAGES] = {"tok", "emb", "pieces"};

struct stage_state {
    size_t shards, finished, stale, unreadable;
    unsigned long long items, done, quarantined, bytes;
};

struct view {
    const char *work, *hash, *output, *cache;
    struct plan_record plan;
    struct stage_state stages[STAGES];
    struct progress_figures run;
    int has_run;
    char held[HASH_HEX + 1]; /* of which outputs the record is, if it is there */
    int recorded;
    struct journal journal;
    struct build_holder holder;
    int build; /* whether a build is running: then the holder of the lock */
};

/* ---- the stages ---- */

static struct hash name_in(const struct shard_names *names, enum stage stage)
{
    return stage == MIDI ? names->midi : stage == TEXT ? names->text : names->piece;
}

static char *path_of(const struct view *view, enum stage stage, struct hash name)
{
    if (stage == PIECES)
        return piece_file(view->work, name);
    return shard_file(view->work, stage == MIDI ? SHARD_OF_MIDI : SHARD_OF_TEXT, stage == MIDI ? view->plan.tok : view->plan.emb, name);
}

static int look_at(struct view *view, enum stage stage, const struct shard_names *names, struct reason *why)
{
    struct stage_state *state = &view->stages[stage];
    char *path = path_of(view, stage, name_in(names, stage));
    int there = is_there(path, why);
    state->shards++;
    state->items += names->pairs;
    if (there > 0) {
        size_t items, errors = 0;
        struct reason unreadable;
        state->finished++;
        state->done += names->pairs;
        if (stage != PIECES && shard_glance(path, shard_format(stage == MIDI ? SHARD_OF_MIDI : SHARD_OF_TEXT), &items, &errors, &unreadable) < 0) {
            message(MESSAGE_WARNING, path, "%s", unreadable.text);
            state->unreadable++;
        }
        state->quarantined += errors;
    }
    free(path);
    return there < 0 ? -1 : 0;
}

/* Every file of the stage's folder: how much there is, and how many shards and pieces the plan does not need. */
struct stage_walk { struct stage_state *state; const char *signature; const struct hash_set *needed; };

static int count_file(void *context, const struct walk_entry *file, struct reason *why)
{
    (void)why;
    const struct stage_walk *walk = context;
    struct hash name;
    if (file->event != WALK_FILE)
        return 0;
    walk->state->bytes += (unsigned long long)file->status->st_size;
    if (hash_from_hex(file->name, &name) == 0)
        walk->state->stale +=
            strcmp(file->parent, walk->signature) != 0 || strstr(file->name, ".damaged") || !hash_set_holds(walk->needed, name);
    return 0;
}

static int walk_stage(struct view *view, enum stage stage, const struct hash_set *needed, struct reason *why)
{
    const char *signature = stage == MIDI ? view->plan.tok : stage == TEXT ? view->plan.emb : stage_folders[stage];
    struct stage_walk walk = {&view->stages[stage], signature, needed};
    char *root = NULL;
    int result = asprintf(&root, "%s/%s", view->work, stage_folders[stage]) < 0 ? fail(why, "out of memory") : file_walk(root, count_file, &walk, why);
    free(root);
    return result;
}

static int look_at_stage(struct view *view, enum stage stage, struct reason *why)
{
    const struct plan_record *plan = &view->plan;
    struct hash_set needed = {0};
    char *seen = NULL; /* [names]: two shards of the same content are one file */
    int result = 0;
    for (size_t i = 0; result == 0 && i < plan->shard_count; i++)
        result = hash_set_add(&needed, name_in(&plan->shards[i], stage), why);
    hash_set_sort(&needed);
    if (result == 0 && !(seen = calloc(needed.count + 1, 1)))
        result = fail(why, "out of memory");
    for (size_t i = 0; result == 0 && i < plan->shard_count; i++) {
        size_t place = hash_set_place(&needed, name_in(&plan->shards[i], stage));
        if (!seen[place])
            result = look_at(view, stage, &plan->shards[i], why);
        seen[place] = 1;
    }
    if (result == 0)
        result = walk_stage(view, stage, &needed, why);
    free(seen);
    hash_set_free(&needed);
    return result;
}

/* ---- what is printed ---- */

static void print_stages(const struct view *view)
{
    char bytes[AMOUNT];
    printf("%-8s %9s %9s %9s %7s %11s %11s %12s %10s\n", "stage", "shards", "finished", "missing", "stale", "items", "done", "quarantined", "disk");
    for (int stage = 0; stage < STAGES; stage++) {
        const struct stage_state *state = &view->stages[stage];
        char quarantined[AMOUNT] = "";
        if (stage != PIECES)
            snprintf(quarantined, sizeof quarantined, "%llu", state->quarantined);
        printf("%-8s %9zu %9zu %9zu %7zu %11llu %11llu %12s %10s\n", stage_names[stage], state->shards, state->finished, state->shards - state->finished,
               state->stale, state->items, state->done, quarantined, format_bytes(state->bytes, bytes));
    }
    if (view->stages[MIDI].stale + view->stages[TEXT].stale + view->stages[PIECES].stale > 0)
        printf("(stale: of other settings or earlier inputs; they are used again if those come back, `make gc` removes them)\n");
    if (view->stages[MIDI].unreadable + view->stages[TEXT].unreadable > 0)
        printf("(%zu finished shards cannot be read; `make verify` looks closer)\n", view->stages[MIDI].unreadable + view->stages[TEXT].unreadable);
    printf("\n");
}

static void print_outputs(const struct view *view, int current)
{
    const char *state = current                                ? "complete and current"
                        : !view->recorded                      ? "not made yet"
                        : strcmp(view->held, view->hash) == 0  ? "a file is missing or was altered"
                                                               : "of an earlier state of inputs or settings";
    printf("%-11s %s: %s\n", "outputs", view->output, state);
}

static enum progress_stage counter_of(enum stage stage)
{
    return stage == MIDI ? PROGRESS_MIDI : PROGRESS_TEXT;
}

/* The figures of a run that is over are those up to its last item. */
static double run_speed(const struct view *view, enum stage stage)
{
    struct progress_figures run = view->run;
    if (!view->build)
        run.wall_seconds = run.work_seconds;
    return view->has_run ? progress_speed(&run, counter_of(stage)) : 0;
}

/* What an estimate goes by: the run's speed, or that of the last one with these settings that the journal knows. */
static double likely_speed(const struct view *view, enum stage stage)
{
    double own = run_speed(view, stage);
    return own > 0 ? own : journal_speed(&view->journal, counter_of(stage), stage == MIDI ? view->plan.tok : view->plan.emb);
}

static void print_journal(const struct view *view)
{
    const struct journal *journal = &view->journal;
    size_t complete = 0;
    for (size_t i = 0; i < journal->count; i++)
        complete += journal->runs[i].state == JOURNAL_COMPLETE;
    if (journal->count > 0)
        printf("%-11s %zu, %zu of them to the end\n", "runs", journal->count, complete);
    if (journal->unreadable > 0)
        printf("%-11s %zu lines of %s/journal cannot be read; they are passed over\n", "", journal->unreadable, view->work);
}

static void print_run(const struct view *view)
{
    const struct progress_figures *run = &view->run;
    char when[AMOUNT], took[AMOUNT], speed[AMOUNT];
    if (!view->has_run) {
        printf("%-11s none\n", "last run");
        return;
    }
    if (view->build)
        printf("%-11s %s", "running", view->holder.text);
    else
        printf("%-11s %s, %s of work", "last run", format_moment(run->started, when), format_duration(run->work_seconds, took));
    for (int stage = MIDI; stage <= TEXT; stage++) {
        const enum progress_stage counter = counter_of((enum stage)stage);
        unsigned long long done = run->done[counter] - run->copied[counter];
        printf("%s %llu %s", stage == MIDI ? ":" : ",", done, stage == MIDI ? "MIDI files" : "texts");
        if (done > 0 && run_speed(view, (enum stage)stage) > 0)
            printf(" (%s/s)", format_speed(run_speed(view, (enum stage)stage), speed));
        if (run->copied[counter] > 0)
            printf(" and %llu copied from finished shards", (unsigned long long)run->copied[counter]);
    }
    printf("\n");
}

static void print_estimate(const struct view *view, int current)
{
    double seconds = 0;
    unsigned long long left[PIECES];
    int known = 1;
    for (int stage = MIDI; stage <= TEXT; stage++) {
        const enum progress_stage counter = counter_of((enum stage)stage);
        const struct stage_state *state = &view->stages[stage];
        left[stage] = state->items - state->done;
        if (view->build && view->has_run && view->run.total[counter] > view->run.finished[counter] + view->run.done[counter])
            left[stage] = view->run.total[counter] - view->run.finished[counter] - view->run.done[counter];
        double speed = likely_speed(view, (enum stage)stage);
        if (left[stage] > 0 && speed > 0)
            seconds += (double)left[stage] / speed;
        known = known && (left[stage] == 0 || speed > 0);
    }
    if (view->build && view->has_run)
        seconds *= progress_stretch(&view->run);
    char time[AMOUNT];
    printf("%-11s ", "to finish");
    if (current)
        printf("nothing to be done\n");
    else if (left[MIDI] + left[TEXT] == 0)
        printf("all MIDI files and texts are done; the outputs are to be put together\n");
    else if (known)
        printf("about %s for %llu MIDI files and %llu texts\n", format_duration(seconds, time), left[MIDI], left[TEXT]);
    else
        printf("%llu MIDI files, %llu texts; no speed is known yet\n", left[MIDI], left[TEXT]);
}

/* Bytes of all files in a folder; linked: of those with a second name elsewhere. */
struct disk_use { unsigned long long bytes, linked; };

static int add_disk_use(void *context, const struct walk_entry *file, struct reason *why)
{
    (void)why;
    struct disk_use *use = context;
    if (file->event == WALK_FILE) {
        use->bytes += (unsigned long long)file->status->st_size;
        use->linked += file->status->st_nlink > 1 ? (unsigned long long)file->status->st_size : 0;
    }
    return 0;
}

static struct disk_use find_disk_use(const char *folder)
{
    struct disk_use use = {0};
    struct reason why;
    if (file_walk(folder, add_disk_use, &use, &why) < 0)
        message(MESSAGE_WARNING, NULL, "%s; it is not all counted", why.text);
    return use;
}

static void print_disk(const struct view *view)
{
    const char *const folders[] = {view->work, view->output, view->cache};
    int printed = 0;
    printf("%-11s ", "disk");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct disk_use use = folders[i] ? find_disk_use(folders[i]) : (struct disk_use){0};
        char all[AMOUNT], shared[AMOUNT];
        if (!folders[i] || (use.bytes == 0 && folders[i] == view->cache))
            continue;
        printf("%s%s %s", printed++ ? ", " : "", folders[i], format_bytes(use.bytes, all));
        if (folders[i] == view->cache && use.linked > 0)
            printf(" (%s of it are links to shards that are in use)", format_bytes(use.linked, shared));
    }
    printf("\n");
}

static int show(struct view *view)
{
    struct reason why;
    int result = 0;
    char *progress = NULL, *record = NULL;
    if (asprintf(&record, "%s/plan/%s.plan", view->work, view->hash) < 0 || asprintf(&progress, "%s/progress", view->work) < 0)
        result = fail(&why, "out of memory");
    if (result == 0)
        result = plan_record_read(record, &view->plan, &why);
    for (int stage = 0; result == 0 && stage < STAGES; stage++)
        result = look_at_stage(view, (enum stage)stage, &why);
    int current = 0;
    if (result == 0)
        result = (current = output_record_is_current(view->output, view->hash, &why)) < 0 ? -1 : 0;
    if (result == 0)
        result = (view->recorded = output_record_hash(view->output, view->held, &why)) < 0 ? -1 : 0;
    if (result == 0) {
        const char *input = plan_record_setting(&view->plan, "plan", "INPUT");
        if (journal_read(view->work, &view->journal, &why) < 0)
            message(MESSAGE_WARNING, NULL, "%s; it is not used", why.text);
        view->has_run = progress_read(progress, &view->run) == 0;
        if (!view->has_run && errno != 0 && errno != ENOENT)
            message(MESSAGE_WARNING, progress, "%s; the last run is not known", strerror(errno));
        view->build = build_lock_is_held(view->work, &view->holder);
        printf("%s: %llu pairs\n\n", input ? input : view->work, view->stages[PIECES].items);
        print_stages(view);
        print_outputs(view, current);
        print_run(view);
        print_journal(view);
        print_estimate(view, current);
        print_disk(view);
    } else {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    }
    plan_record_free(&view->plan);
    journal_free(&view->journal);
    free(record);
    free(progress);
    return result < 0 || print_end() < 0;
}

int main(int argc, char **argv)
{
    enum { OUTPUT = 256, CACHE, HELP, VERSION };
    static const struct option options[] = {
        {"output", required_argument, NULL, OUTPUT}, {"cache", required_argument, NULL, CACHE}, {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},     {0},
    };
    struct view view = {.output = "."};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case OUTPUT: view.output = optarg; break;
        case CACHE: view.cache = optarg; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("WORK_DIR and HASH are needed");
    view.work = argv[optind];
    view.hash = argv[optind + 1];
    return show(&view);
}
