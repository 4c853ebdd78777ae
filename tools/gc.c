/* gc: removes from WORK_DIR what the present plan does not need. What it knows by its name is removed, and nothing else: shards and pieces of other settings or earlier
 * inputs, their lists, what was set aside as damaged, the plans of earlier builds but the one that made the outputs (why asks it).
 *
 * While shards of the plan are missing, finished ones of the same settings stay: their items may be taken over. It refuses while a make builds in WORK_DIR, and holds
 * the plan lock, so that none can plan meanwhile. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/amounts.h"
#include "lib/build_lock.h"
#include "lib/atomic_file.h"
#include "lib/file_walk.h"
#include "lib/hash_set.h"
#include "lib/known_shards.h"
#include "lib/live_makes.h"
#include "lib/message.h"
#include "lib/output_record.h"
#include "lib/plan_lock.h"
#include "lib/plan_record.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: gc [options] WORK_DIR HASH\n"
    "Removes from WORK_DIR what the plan whose outputs have this hash does not need.\n"
    "  --output DIR   the outputs' folder\n"
    "  --help, --version\n";

enum { MIDI, TEXT, PIECES, PLANS, SETS };

struct collection {
    const char *work, *output;
    struct plan_record plan;
    struct hash_set needed[SETS], listed[PIECES + 1]; /* files; lists, of the last build too */
    int complete[SHARD_KINDS];
    size_t files, failed;
    unsigned long long bytes;
};

/* ---- what is needed ---- */

static int add_names(struct hash_set sets[PIECES + 1], const struct plan_record *plan, struct reason *why)
{
    for (size_t i = 0; i < plan->shard_count; i++) {
        const struct shard_names *names = &plan->shards[i];
        if (hash_set_add(&sets[MIDI], names->midi, why) < 0 || hash_set_add(&sets[TEXT], names->text, why) < 0 || hash_set_add(&sets[PIECES], names->piece, why) < 0)
            return -1;
    }
    return 0;
}

static int add_plan(struct collection *collection, const char *hash, struct reason *why)
{
    struct hash value;
    return hash_from_hex(hash, &value) < 0 ? fail(why, "%s: not a hash", hash) : hash_set_add(&collection->needed[PLANS], value, why);
}

/* The plan of the build that made the outputs, with its lists. */
static int add_last_build(struct collection *collection, struct reason *why)
{
    char held[HASH_HEX + 1], *path = NULL;
    struct plan_record last;
    int recorded = output_record_hash(collection->output, held, why);
    if (recorded <= 0)
        return recorded;
    if (asprintf(&path, "%s/plan/%s.plan", collection->work, held) < 0)
        return fail(why, "out of memory");
    int result = plan_record_read(path, &last, why);
    if (result == 0) {
        result = add_plan(collection, held, why) < 0 ? -1 : add_names(collection->listed, &last, why);
        plan_record_free(&last);
    } else if (errno == 0 || errno == ENOENT) {
        result = 0; /* it is gone or damaged, and its lists are of no use */
    }
    free(path);
    return result;
}

/* 1 or 0, -1 with `why`. */
static int is_complete(const struct collection *collection, enum shard_kind kind, struct reason *why)
{
    const struct plan_record *plan = &collection->plan;
    int complete = 1;
    for (size_t i = 0; complete > 0 && i < plan->shard_count; i++) {
        char *path = shard_file(collection->work, kind, kind == SHARD_OF_MIDI ? plan->tok : plan->emb,
                                kind == SHARD_OF_MIDI ? plan->shards[i].midi : plan->shards[i].text);
        complete = is_there(path, why);
        free(path);
    }
    return complete;
}

static int find_needed(struct collection *collection, const char *hash, struct reason *why)
{
    if (add_plan(collection, hash, why) < 0 || add_names(collection->needed, &collection->plan, why) < 0 || add_names(collection->listed, &collection->plan, why) < 0 ||
        add_last_build(collection, why) < 0)
        return -1;
    for (int i = 0; i < SETS; i++)
        hash_set_sort(&collection->needed[i]);
    for (int i = 0; i <= PIECES; i++)
        hash_set_sort(&collection->listed[i]);
    for (int kind = 0; kind < SHARD_KINDS; kind++)
        if ((collection->complete[kind] = is_complete(collection, (enum shard_kind)kind, why)) < 0)
            return -1;
    return 0;
}

/* ---- what goes ---- */

static int shard_goes(const struct collection *collection, enum shard_kind kind, const char *signature, const char *ending, struct hash name)
{
    const char *present = kind == SHARD_OF_MIDI ? collection->plan.tok : collection->plan.emb;
    if (strncmp(ending, shard_ending(kind), 3) != 0)
        return 0;
    if (strcmp(ending + 3, ".damaged") == 0)
        return 1;
    return !ending[3] && (strcmp(signature, present) != 0 || (collection->complete[kind] && !hash_set_holds(&collection->needed[kind], name)));
}

static int list_goes(const struct collection *collection, const char *ending, struct hash name)
{
    static const struct { const char *ending; int set; } lists[] = {{"midi", MIDI}, {"text", TEXT}, {"pairs", PIECES}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(ending, lists[i].ending) == 0)
            return !hash_set_holds(&collection->listed[lists[i].set], name);
    if (strcmp(ending, "midi-reuse") == 0)
        return collection->complete[SHARD_OF_MIDI] || !hash_set_holds(&collection->needed[MIDI], name);
    if (strcmp(ending, "text-reuse") == 0)
        return collection->complete[SHARD_OF_TEXT] || !hash_set_holds(&collection->needed[TEXT], name);
    return (strcmp(ending, "pieces") == 0 || strcmp(ending, "plan") == 0) && !hash_set_holds(&collection->needed[PLANS], name);
}

/* Whether a file of WORK_DIR goes; folder: "tok", "emb", "pieces" or "plan"; parent: the name of the folder it is in. */
static int goes(const struct collection *collection, const char *folder, const char *parent, const char *file)
{
    struct hash name;
    const char *ending = file + HASH_HEX + 1;
    if (strcmp(folder, "plan") == 0 && is_dead_makefile(file))
        return 1;
    if (hash_from_hex(file, &name) < 0 || ending[-1] != '.')
        return 0;
    if (strcmp(folder, "tok") == 0)
        return shard_goes(collection, SHARD_OF_MIDI, parent, ending, name);
    if (strcmp(folder, "emb") == 0)
        return shard_goes(collection, SHARD_OF_TEXT, parent, ending, name);
    if (strcmp(folder, "pieces") == 0)
        return strcmp(ending, "piece.damaged") == 0 || (strcmp(ending, "piece") == 0 && !hash_set_holds(&collection->needed[PIECES], name));
    return list_goes(collection, ending, name);
}

static void remove_file(struct collection *collection, const struct walk_entry *file)
{
    struct reason why;
    if (unlink(file->path) == 0) {
        if (!is_dead_makefile(file->name)) { /* every make leaves one, nobody wants to hear of it */
            collection->files++;
            collection->bytes += (unsigned long long)file->status->st_size;
        }
        return;
    }
    collection->failed++;
    fail_errno(&why, "cannot be removed");
    message(MESSAGE_ERROR, file->path, "%s", why.text);
}

struct collecting { struct collection *collection; const char *folder; };

static int collect_entry(void *context, const struct walk_entry *file, struct reason *why)
{
    (void)why;
    struct collecting *collecting = context;
    if (file->event == WALK_FOLDER)
        atomic_file_sweep(file->path);
    else if (file->event == WALK_FILE && goes(collecting->collection, collecting->folder, file->parent, file->name))
        remove_file(collecting->collection, file);
    else if (file->event == WALK_FOLDER_DONE && file->level == 1)
        rmdir(file->path); /* a signature's folder, if it is empty now */
    return 0;
}

static int collect_folder(struct collection *collection, const char *folder, struct reason *why)
{
    char *root = NULL;
    if (asprintf(&root, "%s/%s", collection->work, folder) < 0)
        return fail(why, "out of memory");
    int result = file_walk(root, collect_entry, &(struct collecting){collection, folder}, why);
    free(root);
    return result;
}

/* ---- the shards that plan knows ---- */

struct keeping { const struct collection *collection; enum shard_kind kind; };

static int is_kept(void *context, struct hash name)
{
    const struct keeping *keeping = context;
    const struct collection *collection = keeping->collection;
    if (hash_set_holds(&collection->needed[keeping->kind == SHARD_OF_MIDI ? MIDI : TEXT], name))
        return 1;
    char *path = shard_file(collection->work, keeping->kind, keeping->kind == SHARD_OF_MIDI ? collection->plan.tok : collection->plan.emb, name);
    int kept = is_there(path, NULL) != 0;
    free(path);
    return kept;
}

static int forget_shards(const struct collection *collection, size_t *forgotten, struct reason *why)
{
    char *path = NULL;
    *forgotten = 0;
    struct known_shards *known = asprintf(&path, "%s/plan/known", collection->work) < 0 ? NULL : known_shards_open(path, why);
    int result = known ? 0 : fail(why, "out of memory");
    for (int kind = 0; result == 0 && kind < SHARD_KINDS; kind++) {
        struct keeping keeping = {collection, (enum shard_kind)kind};
        result = known_shards_forget(known, (enum shard_kind)kind, is_kept, &keeping, forgotten, why);
    }
    if (result == 0)
        result = known_shards_save(known, why);
    known_shards_close(known);
    free(path);
    return result;
}

static int collect(struct collection *collection, const char *hash, struct reason *why)
{
    static const char *const folders[] = {"tok", "emb", "pieces", "plan"};
    char *path = NULL;
    size_t forgotten;
    if (build_lock_try(collection->work, why) < 0 || plan_lock(collection->work, PLAN_LOCK_ALONE, why) < 0)
        return -1;
    if (asprintf(&path, "%s/plan/%s.plan", collection->work, hash) < 0)
        return fail(why, "out of memory");
    int result = plan_record_read(path, &collection->plan, why);
    free(path);
    if (result == 0)
        result = find_needed(collection, hash, why);
    for (size_t i = 0; result == 0 && i < sizeof folders / sizeof *folders; i++)
        result = collect_folder(collection, folders[i], why);
    if (result == 0)
        result = forget_shards(collection, &forgotten, why);
    if (result == 0) {
        char bytes[AMOUNT];
        printf("%s: %zu files removed (%s), %zu earlier shards forgotten\n", collection->work, collection->files, format_bytes(collection->bytes, bytes), forgotten);
        if (!collection->complete[SHARD_OF_MIDI] || !collection->complete[SHARD_OF_TEXT])
            printf("The dataset is not complete yet: finished shards of the same settings were kept, their items may be taken over.\n");
    }
    return result;
}

int main(int argc, char **argv)
{
    enum { OUTPUT = 256, HELP, VERSION };
    static const struct option options[] = {
        {"output", required_argument, NULL, OUTPUT}, {"help", no_argument, NULL, HELP}, {"version", no_argument, NULL, VERSION}, {0},
    };
    struct collection collection = {.output = "."};
    struct reason why;
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case OUTPUT: collection.output = optarg; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("WORK_DIR and HASH are needed");
    collection.work = argv[optind];
    int result = collect(&collection, argv[optind + 1], &why);
    if (result < 0)
        message(MESSAGE_ERROR, collection.work, "%s", why.text);
    for (int i = 0; i < SETS; i++)
        hash_set_free(&collection.needed[i]);
    for (int i = 0; i <= PIECES; i++)
        hash_set_free(&collection.listed[i]);
    plan_record_free(&collection.plan);
    return result < 0 || collection.failed > 0 || print_end() < 0;
}
