/* cache_gc: makes the cache of finished shards (shard_cache.h) no larger than it may be. The entries that were not used for longest go first; builds
 * that use the cache meanwhile lose nothing: an entry that they have taken is a file of theirs. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/amounts.h"
#include "lib/atomic_file.h"
#include "lib/file_walk.h"
#include "lib/grow.h"
#include "lib/hash.h"
#include "lib/message.h"

static const char usage[] =
    "usage: cache_gc CACHE_DIR SIZE\n"
    "Removes finished shards from CACHE_DIR, the least recently used first, until it holds at most SIZE bytes (500M, 10G, 2T; 0 empties it).\n"
    "  --help, --version\n";

struct entry { char *path; int64_t used; uint64_t bytes; }; /* used: nanoseconds since 1970 */
struct entries { struct entry *list; size_t count, capacity; uint64_t bytes; };

static int is_entry(const char *name)
{
    struct hash value;
    const char *ending = name + HASH_HEX;
    return strlen(name) == HASH_HEX + 4 && hash_from_hex(name, &value) == 0 && (strcmp(ending, ".tok") == 0 || strcmp(ending, ".emb") == 0);
}

/* A damaged entry that was moved aside by a run which was killed before it could remove it, or had no right to. */
static int is_damaged(const char *name)
{
    return strlen(name) == HASH_HEX + strlen(".tok.damaged") && strcmp(name + HASH_HEX + 4, ".damaged") == 0;
}

static int add_entry(struct entries *entries, const struct walk_entry *file, struct reason *why)
{
    if (GROW(entries->list, entries->capacity, entries->count + 1, why) < 0)
        return -1;
    const struct stat *status = file->status;
    char *path = strdup(file->path);
    if (!path)
        return fail(why, "out of memory");
    entries->list[entries->count++] =
        (struct entry){path, (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec, (uint64_t)status->st_size};
    entries->bytes += (uint64_t)status->st_size;
    return 0;
}

/* What killed runs left behind is removed on the way. */
static int find_entry(void *context, const struct walk_entry *file, struct reason *why)
{
    if (file->event == WALK_FOLDER)
        atomic_file_sweep(file->path);
    else if (file->event == WALK_FILE && is_damaged(file->name))
        unlink(file->path);
    else if (file->event == WALK_FILE && is_entry(file->name))
        return add_entry(context, file, why);
    return 0;
}

static int compare_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->used != y->used ? (x->used < y->used ? -1 : 1) : strcmp(x->path, y->path);
}

static int trim(const char *folder, uint64_t most)
{
    struct entries entries = {0};
    struct reason why;
    int failed = file_walk(folder, find_entry, &entries, &why) < 0;
    if (failed)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    uint64_t before = entries.bytes;
    size_t removed = 0;
    if (entries.count > 0)
        qsort(entries.list, entries.count, sizeof *entries.list, compare_use);
    for (size_t i = 0; !failed && i < entries.count && entries.bytes > most; i++) {
        if (unlink(entries.list[i].path) < 0) {
            fail_errno(&why, "%s: cannot be removed", entries.list[i].path);
            message(MESSAGE_WARNING, NULL, "%s", why.text);
            continue;
        }
        entries.bytes -= entries.list[i].bytes;
        removed++;
    }
    if (!failed) {
        char gone[AMOUNT], left[AMOUNT];
        printf("%s: %zu of %zu shards removed (%s), %s left\n", folder, removed, entries.count, format_bytes(before - entries.bytes, gone),
               format_bytes(entries.bytes, left));
        if (entries.bytes > most) {
            message(MESSAGE_ERROR, folder, "is still larger than it may be: %s", why.text);
            failed = 1;
        }
    }
    for (size_t i = 0; i < entries.count; i++)
        free(entries.list[i].path);
    free(entries.list);
    return failed || print_end() < 0;
}

int main(int argc, char **argv)
{
    enum { HELP = 256, VERSION };
    static const struct option options[] = {{"help", no_argument, NULL, HELP}, {"version", no_argument, NULL, VERSION}, {0}};
    uint64_t most;
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("CACHE_DIR and CACHE_SIZE are needed");
    if (parse_bytes(argv[optind + 1], &most) < 0)
        return usage_error("CACHE_SIZE=%s: a size is needed, such as 500M or 10G", argv[optind + 1]);
    return trim(argv[optind], most);
}
