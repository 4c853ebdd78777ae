/* why: what a build would do, and the reasons in words. Compares the plan with that of the build that made the outputs: OUTPUT_DIR's record names it, and its
 * plan is still in WORK_DIR. So it can say which setting, which file or which caption changed; signatures and hashes alone could not. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash_set.h"
#include "lib/message.h"
#include "lib/output_record.h"
#include "lib/pair_changes.h"
#include "lib/plan_record.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: why [options] WORK_DIR HASH\n"
    "Says what a build would do, and why, for the plan whose outputs have this hash.\n"
    "  --output DIR   the outputs' folder\n"
    "  --file NAME    only for pairs with this MIDI file, as INPUT names it or the end of its path\n"
    "  --help, --version\n";

enum { SHOWN_PAIRS = 40 };

struct question {
    const char *work, *hash, *output, *file;
    struct plan_record now, then;
    int has_then, current, recorded;
    char held[HASH_HEX + 1]; /* of which outputs the record is, if it is there */
    struct pair_changes changes;
};

/* ---- settings ---- */

static int is_contents_of(const struct plan_record *plan, const char *path, const char *stage)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *model = plan_record_setting(plan, "emb", "MODEL");
    if (strcmp(stage, "tok") == 0)
        return strcmp(name, "midi2tok") == 0 || strcmp(name, "abc2midi") == 0;
    if (strcmp(stage, "emb") == 0)
        return strcmp(name, "text2emb") == 0 || (model && strcmp(path, model) == 0);
    return strcmp(name, "combine") == 0;
}

/* What changed for a stage whose signature did: the settings by name, or else the programs and models by their contents. */
static void explain_stage(const struct question *question, const char *stage, const char *results)
{
    const struct plan_record *now = &question->now, *then = &question->then;
    int found = 0;
    for (int contents = 0; contents <= 1 && !found; contents++)
        for (size_t i = 0; i < now->setting_count; i++) {
            const struct plan_setting *setting = &now->settings[i];
            if (contents ? strcmp(setting->scope, "contents") != 0 || !is_contents_of(now, setting->name, stage) : strcmp(setting->scope, stage) != 0)
                continue;
            const char *before = plan_record_setting(then, setting->scope, setting->name);
            if (before && strcmp(before, setting->value) == 0)
                continue;
            if (contents)
                print_line("%s: its contents changed: other %s", setting->name, results);
            else
                print_line("%s: %s → %s: other %s", setting->name, before && *before ? before : "(default)", *setting->value ? setting->value : "(default)", results);
            found = 1;
        }
    if (!found)
        print_line("other %s: the programs or the model changed since the last build", results);
}

static void explain_settings(const struct question *question)
{
    const struct plan_record *now = &question->now, *then = &question->then;
    if (strcmp(now->tok, then->tok) != 0)
        explain_stage(question, "tok", "tokens");
    if (strcmp(now->emb, then->emb) != 0)
        explain_stage(question, "emb", "embeddings");
    if (strcmp(now->piece, then->piece) != 0)
        explain_stage(question, "piece", "form of the outputs");
    for (size_t i = 0; i < now->setting_count; i++) {
        const struct plan_setting *setting = &now->settings[i];
        const int limit = strcmp(setting->scope, "limits") == 0;
        const char *before = limit || strcmp(setting->scope, "plan") == 0 ? plan_record_setting(then, setting->scope, setting->name) : NULL;
        if (before && strcmp(before, setting->value) != 0)
            print_line("%s: %s → %s%s", setting->name, *before ? before : "(default)", *setting->value ? setting->value : "(default)",
                   limit ? ": what a limit kept out is tried again"
                   : strcmp(setting->name, "BATCH_SIZE") == 0 || strcmp(setting->name, "CHECKPOINT_INTERVAL") == 0 ? ": shards are cut anew" : "");
    }
}

/* ---- shards ---- */

enum shard_state { FINISHED, DAMAGED, VANISHED, NOT_MADE };

/* The state, -1 with `why`. `*path` is the caller's to free in every case. */
static int state_of(const struct question *question, enum shard_kind kind, struct hash name, const struct hash_set *then, char **path, struct reason *why)
{
    char *aside = NULL;
    *path = shard_file(question->work, kind, kind == SHARD_OF_MIDI ? question->now.tok : question->now.emb, name);
    int there = is_there(*path, why);
    if (there != 0)
        return there < 0 ? -1 : FINISHED;
    int damaged = asprintf(&aside, "%s.damaged", *path) < 0 ? fail(why, "out of memory") : is_there(aside, why);
    free(aside);
    return damaged < 0 ? -1 : damaged ? DAMAGED : then && hash_set_holds(then, name) ? VANISHED : NOT_MADE;
}

/* The names that a stage's shards had at the last build, if its signature was the present one. */
static int names_then(const struct question *question, enum shard_kind kind, struct hash_set *names, struct reason *why)
{
    const struct plan_record *now = &question->now, *then = &question->then;
    const char *before = kind == SHARD_OF_MIDI ? then->tok : then->emb, *present = kind == SHARD_OF_MIDI ? now->tok : now->emb;
    for (size_t i = 0; question->has_then && strcmp(before, present) == 0 && i < then->shard_count; i++)
        if (hash_set_add(names, kind == SHARD_OF_MIDI ? then->shards[i].midi : then->shards[i].text, why) < 0)
            return -1;
    hash_set_sort(names);
    return 0;
}

struct todo { size_t shards, items; };

/* Counts what is missing of a stage; names what was finished and is gone. */
static int explain_shards(const struct question *question, enum shard_kind kind, struct todo *todo, struct reason *why)
{
    struct hash_set then = {0}, all = {0};
    char *named = NULL; /* [all]: shards of the same content are one */
    int result = names_then(question, kind, &then, why);
    for (size_t i = 0; result == 0 && i < question->now.shard_count; i++)
        result = hash_set_add(&all, kind == SHARD_OF_MIDI ? question->now.shards[i].midi : question->now.shards[i].text, why);
    hash_set_sort(&all);
    if (result == 0 && !(named = calloc(all.count + 1, 1)))
        result = fail(why, "out of memory");
    for (size_t i = 0; result == 0 && i < question->now.shard_count; i++) {
        const struct shard_names *names = &question->now.shards[i];
        struct hash name = kind == SHARD_OF_MIDI ? names->midi : names->text;
        char *path;
        int state = state_of(question, kind, name, &then, &path, why);
        result = state < 0 ? -1 : 0;
        if (state > FINISHED && !named[hash_set_place(&all, name)]++) {
            todo->shards++;
            todo->items += names->pairs;
            if (state != NOT_MADE)
                print_line("%s: the finished shard %s (%zu %s)", path, state == DAMAGED ? "was damaged and set aside" : "is missing", names->pairs,
                       kind == SHARD_OF_MIDI ? "MIDI files" : "texts");
        }
        free(path);
    }
    free(named);
    hash_set_free(&then);
    hash_set_free(&all);
    return result;
}

/* ---- pairs ---- */

static const char *words_of(int changes)
{
    switch (changes) {
    case 0: return "unchanged";
    case PAIR_NEW: return "new pair";
    case PAIR_REMOVED: return "removed pair";
    case PAIR_MIDI: return "file changed";
    case PAIR_TEXT: return "caption changed";
    case PAIR_FIELDS: return "other fields changed";
    case PAIR_MIDI | PAIR_TEXT: return "file and caption changed";
    case PAIR_MIDI | PAIR_FIELDS: return "file and other fields changed";
    case PAIR_TEXT | PAIR_FIELDS: return "caption and other fields changed";
    default: return "file, caption and other fields changed";
    }
}

/* An item that a limit kept out has another key under other limits (limited_items.h), as one whose contents changed. */
static const char *but_perhaps(const struct question *question, int changes)
{
    for (size_t i = 0; changes & (PAIR_MIDI | PAIR_TEXT) && i < question->now.setting_count; i++) {
        const struct plan_setting *setting = &question->now.settings[i];
        const char *before = strcmp(setting->scope, "limits") == 0 ? plan_record_setting(&question->then, "limits", setting->name) : NULL;
        if (before && strcmp(before, setting->value) != 0)
            return ", or tried again under other limits";
    }
    return "";
}

static size_t explain_pairs(const struct question *question, const struct seen_pairs *pairs, size_t shown)
{
    size_t changed = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct seen_pair *pair = &pairs->list[i];
        if (pair->changes && shown + changed++ < SHOWN_PAIRS)
            print_line("%s: %s%s", seen_name(pairs, pair), words_of(pair->changes), but_perhaps(question, pair->changes));
    }
    return changed;
}

/* ---- outputs ---- */

static void explain_outputs(const struct question *question)
{
    if (!question->recorded)
        print_line("%s: no completed build is known", question->output);
    else if (strcmp(question->held, question->hash) == 0)
        print_line("%s: an output is missing or was altered", question->output);
}

static void print_todo(const struct question *question, const struct todo *midi, const struct todo *text, size_t pieces)
{
    if (question->current)
        print_line("Nothing would be done: %s holds what it should.", question->output);
    else
        print_line("To do: %zu MIDI files (shards: %zu), %zu texts (shards: %zu), %zu of %zu pieces, the outputs.", midi->items, midi->shards, text->items,
               text->shards, pieces, question->now.shard_count);
}

static int count_missing_pieces(const struct question *question, size_t *missing, struct reason *why)
{
    int there = 0;
    *missing = 0;
    for (size_t i = 0; there >= 0 && i < question->now.shard_count; i++) {
        char *path = piece_file(question->work, question->now.shards[i].piece);
        there = is_there(path, why);
        *missing += there == 0;
        free(path);
    }
    return there < 0 ? -1 : 0;
}

static int explain_all(struct question *question, struct reason *why)
{
    struct todo midi = {0}, text = {0};
    size_t pieces;
    if (count_missing_pieces(question, &pieces, why) < 0)
        return -1;
    if (!question->current) {
        explain_outputs(question);
        if (question->has_then) {
            explain_settings(question);
            if (pair_changes_find(question->work, &question->now, &question->then, 0, &question->changes, why) < 0)
                return -1;
            size_t changed = explain_pairs(question, &question->changes.now, 0);
            changed += explain_pairs(question, &question->changes.then, changed);
            if (changed > SHOWN_PAIRS)
                print_line("… and %zu more pairs", changed - SHOWN_PAIRS);
        }
        if (explain_shards(question, SHARD_OF_MIDI, &midi, why) < 0 || explain_shards(question, SHARD_OF_TEXT, &text, why) < 0)
            return -1;
    }
    print_todo(question, &midi, &text, pieces);
    return 0;
}

/* ---- one file ---- */

static int is_asked(const char *name, const char *asked)
{
    size_t length = strlen(name), tail = strlen(asked);
    return length >= tail && strcmp(name + length - tail, asked) == 0 && (length == tail || name[length - tail - 1] == '/');
}

/* Another pair of the shard that changed for this stage, if any. */
static const struct seen_pair *changed_neighbour(const struct seen_pairs *pairs, const struct seen_pair *pair, int change)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (pairs->list[i].shard == pair->shard && pairs->list[i].changes & (change | PAIR_NEW))
            return &pairs->list[i];
    return NULL;
}

/* Why a shard that is not there is to be made, seen from one of its pairs. */
static void print_reason(const struct question *question, const struct seen_pair *pair, enum shard_kind kind, enum shard_state state)
{
    const char *const stage = kind == SHARD_OF_MIDI ? "tokens" : "embedding";
    const char *before = kind == SHARD_OF_MIDI ? question->then.tok : question->then.emb, *now = kind == SHARD_OF_MIDI ? question->now.tok : question->now.emb;
    const int change = kind == SHARD_OF_MIDI ? PAIR_MIDI : PAIR_TEXT, own = pair->changes & (change | PAIR_NEW);
    const struct seen_pair *neighbour = changed_neighbour(&question->changes.now, pair, change);
    if (state == DAMAGED || state == VANISHED)
        print_line("  %-10s to be made: the finished shard %s", stage, state == DAMAGED ? "was damaged and set aside" : "is missing");
    else if (!question->has_then)
        print_line("  %-10s to be made: no completed build is known", stage);
    else if (strcmp(before, now) != 0)
        print_line("  %-10s to be made: other settings", stage);
    else if (own)
        print_line("  %-10s to be made: %s%s", stage, words_of(own), but_perhaps(question, own));
    else if (neighbour)
        print_line("  %-10s to be copied into a new shard, because of %s: %s%s", stage, seen_name(&question->changes.now, neighbour), words_of(neighbour->changes),
                   but_perhaps(question, neighbour->changes));
    else
        print_line("  %-10s to be copied into a new shard: shards are cut anew around it", stage);
}

static int explain_result(const struct question *question, const struct seen_pair *pair, enum shard_kind kind, struct reason *why)
{
    const struct shard_names *names = &question->now.shards[pair->shard];
    struct hash_set then = {0};
    if (names_then(question, kind, &then, why) < 0)
        return -1;
    char *path;
    int state = state_of(question, kind, kind == SHARD_OF_MIDI ? names->midi : names->text, &then, &path, why);
    hash_set_free(&then);
    if (state < 0) {
        free(path);
        return -1;
    }
    if (state == FINISHED)
        print_line("  %-10s finished", kind == SHARD_OF_MIDI ? "tokens" : "embedding");
    else if (question->current)
        print_line("  %-10s no longer there, and not needed", kind == SHARD_OF_MIDI ? "tokens" : "embedding");
    else
        print_reason(question, pair, kind, (enum shard_state)state);
    print_line("  %-10s %s", "", path);
    free(path);
    return 0;
}

static int explain_file(struct question *question, struct reason *why)
{
    struct pair_changes *changes = &question->changes;
    size_t found = 0;
    if (pair_changes_find(question->work, &question->now, question->has_then ? &question->then : NULL, 1, changes, why) < 0)
        return -1;
    for (size_t i = 0; i < changes->now.count; i++) {
        const struct seen_pair *pair = &changes->now.list[i];
        if (!is_asked(seen_name(&changes->now, pair), question->file))
            continue;
        found++;
        print_line("%s: %s%s", seen_name(&changes->now, pair), question->has_then ? words_of(pair->changes) : "no completed build is known",
                   but_perhaps(question, pair->changes));
        if (explain_result(question, pair, SHARD_OF_MIDI, why) < 0 || explain_result(question, pair, SHARD_OF_TEXT, why) < 0)
            return -1;
        print_line("  %-10s %s", "outputs", question->current ? "complete and current" : "to be put together");
    }
    for (size_t i = 0; i < changes->then.count; i++) {
        const struct seen_pair *pair = &changes->then.list[i];
        if (!(pair->changes & PAIR_REMOVED) || !is_asked(seen_name(&changes->then, pair), question->file))
            continue;
        found++;
        print_line("%s: %s", seen_name(&changes->then, pair), words_of(pair->changes));
    }
    if (found && question->has_then)
        explain_settings(question);
    return found ? 0 : fail(why, "FILE=%s: no pair has this MIDI file", question->file);
}

/* The plan of the build that made the outputs, unless its files are gone or damaged. 0, or -1 with `why`. */
static int find_then(struct question *question, struct reason *why)
{
    char *path = NULL;
    question->recorded = output_record_hash(question->output, question->held, why);
    if (question->recorded <= 0)
        return question->recorded;
    if (asprintf(&path, "%s/plan/%s.plan", question->work, question->held) < 0)
        return fail(why, "out of memory");
    int result = plan_record_read(path, &question->then, why), error = errno;
    free(path);
    question->has_then = result == 0;
    if (result == 0 || (error != 0 && error != ENOENT))
        return result;
    message(MESSAGE_INFO, question->output, "what its build saw is not known any more (%s)", why->text);
    return 0;
}

static int answer(struct question *question)
{
    struct reason why;
    char *path = NULL;
    int result = asprintf(&path, "%s/plan/%s.plan", question->work, question->hash) < 0 ? fail(&why, "out of memory") : 0;
    if (result == 0)
        result = plan_record_read(path, &question->now, &why);
    if (result == 0)
        result = find_then(question, &why);
    if (result == 0)
        result = (question->current = output_record_is_current(question->output, question->hash, &why)) < 0 ? -1 : 0;
    if (result == 0) {
        result = question->file ? explain_file(question, &why) : explain_all(question, &why);
    }
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    pair_changes_free(&question->changes);
    plan_record_free(&question->now);
    plan_record_free(&question->then);
    free(path);
    return result < 0 || print_end() < 0;
}

int main(int argc, char **argv)
{
    enum { OUTPUT = 256, FILE_NAME, HELP, VERSION };
    static const struct option options[] = {
        {"output", required_argument, NULL, OUTPUT}, {"file", required_argument, NULL, FILE_NAME}, {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},     {0},
    };
    struct question question = {.output = "."};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case OUTPUT: question.output = optarg; break;
        case FILE_NAME: question.file = *optarg ? optarg : NULL; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("WORK_DIR and HASH are needed");
    question.work = argv[optind];
    question.hash = argv[optind + 1];
    return answer(&question);
}
