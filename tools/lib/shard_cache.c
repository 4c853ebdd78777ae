#include "shard_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "hash.h"
#include "item_guard.h"
#include "shard.h"
#include "work_files.h"

const char *shard_cache_folder(void)
{
    const char *use = getenv("USE_CACHE"), *folder = getenv("CACHE_DIR");
    return use && strcmp(use, "1") == 0 && folder && *folder ? folder : NULL;
}

static int make_folder_of(const char *path, struct reason *why)
{
    char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    int result = folder ? make_folders(folder, why) : fail(why, "out of memory");
    free(folder);
    return result;
}

/* Gives the file `from` the second name `to`, or a copy where that cannot be. A name that exists already is as good. */
static int link_or_copy(const char *from, const char *to, struct reason *why)
{
    int linked = link(from, to);
    if (linked < 0 && errno == ENOENT) {
        if (make_folder_of(to, why) < 0)
            return -1;
        linked = link(from, to);
    }
    if (linked == 0 || errno == EEXIST)
        return 0;
    if (errno == ENOENT)
        return fail_errno(why, "%s", from);
    return atomic_file_copy(from, to, why);
}

static int is_hash(const char *text, size_t length)
{
    struct hash value;
    return length == HASH_HEX && hash_from_hex(text, &value) == 0;
}

/* Where …/tok/<signature>/<name>.tok begins in `path`; NULL if it does not end like this. */
static const char *relative_name(const char *path)
{
    const char *name = strrchr(path, '/'), *signature = name ? memrchr(path, '/', (size_t)(name - path)) : NULL;
    if (!signature || signature - path < 3 || !is_hash(signature + 1, (size_t)(name - signature - 1)))
        return NULL;
    const char *folder = signature - 3, *ending = name + 1 + HASH_HEX;
    if ((folder > path && folder[-1] != '/') || strlen(name + 1) != HASH_HEX + 4 || !is_hash(name + 1, HASH_HEX) || *ending != '.' ||
        strncmp(ending + 1, folder, 3) != 0)
        return NULL;
    return strncmp(folder, "tok", 3) == 0 || strncmp(folder, "emb", 3) == 0 ? folder : NULL;
}

/* Whether the entry is there. What else has its name, a link or a folder, is in the way and goes. */
static int has_entry(const char *entry)
{
    struct stat status;
    if (lstat(entry, &status) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            message(MESSAGE_WARNING, entry, "cannot be looked at in the cache: %s", strerror(errno));
        return 0;
    }
    if (S_ISREG(status.st_mode))
        return 1;
    if (remove(entry) == 0)
        message(MESSAGE_WARNING, entry, "not taken from the cache, dropped: not a regular file");
    else
        message(MESSAGE_WARNING, entry, "not a regular file, and in the way in the cache: %s", strerror(errno));
    return 0;
}

static int is_writable(const char *cache, struct reason *why)
{
    if (make_folders(cache, why) < 0)
        return 0;
    return access(cache, W_OK) == 0 ? 1 : (fail_errno(why, "%s", cache), 0);
}

static int keep(const char *path, const char *entry, struct reason *why)
{
    return has_entry(entry) ? 0 : link_or_copy(path, entry, why);
}

void shard_cache_keep(const char *path)
{
    const char *cache = shard_cache_folder(), *name = cache ? relative_name(path) : NULL;
    struct reason why;
    char *entry = NULL;
    if (!name)
        return;
    if (!is_writable(cache, &why)) /* plan has said so */
        message(MESSAGE_DEBUG, path, "not kept in the cache: %s", why.text);
    else if (asprintf(&entry, "%s/%s", cache, name) < 0)
        message(MESSAGE_WARNING, path, "not kept in the cache: out of memory");
    else if (keep(path, entry, &why) < 0)
        message(MESSAGE_WARNING, path, "not kept in the cache: %s", why.text);
    free(entry);
}

/* A damaged entry has been moved aside by shard_open; it goes. */
static void drop(const char *entry, const struct reason *why)
{
    char *aside = NULL;
    int removed = asprintf(&aside, "%s.damaged", entry) >= 0 && unlink(aside) == 0;
    message(MESSAGE_WARNING, entry, "not taken from the cache%s: %s", removed ? ", dropped" : "", why->text);
    free(aside);
}

/* Whether an item was kept out by limits that need not be those of this run. */
static int holds_limited_item(const struct shard *shard)
{
    for (size_t i = 0; i < shard_items(shard); i++)
        if (shard_item_error(shard, i) && error_is_of_a_limit(shard_item_error(shard, i)))
            return 1;
    return 0;
}

static int take_entry(const char *entry, const char *path, const char *format)
{
    struct reason why;
    struct shard *shard = shard_open(entry, format, &why);
    if (!shard) {
        drop(entry, &why);
        return 0;
    }
    int limited = holds_limited_item(shard);
    shard_close(shard);
    if (limited) { /* whoever builds it keeps what comes of it */
        unlink(entry);
        return 0;
    }
    if (link_or_copy(entry, path, &why) < 0) {
        message(MESSAGE_WARNING, entry, "not taken from the cache: %s", why.text);
        return 0;
    }
    /* Not allowed for an entry of somebody else's: then it looks older than it is. */
    if (utimensat(AT_FDCWD, entry, NULL, 0) < 0)
        message(MESSAGE_DEBUG, entry, "its time of use cannot be set: %s", strerror(errno));
    return 1;
}

size_t shard_cache_exchange(const struct stage *stage, const struct stage_shard *shards, size_t count, int take)
{
    const char *cache = shard_cache_folder();
    struct reason why;
    size_t taken = 0;
    int writable = cache && is_writable(cache, &why);
    if (cache && !writable && stage->kind == SHARD_OF_MIDI)
        message(MESSAGE_WARNING, cache, "the cache cannot be written, nothing is kept in it: %s", why.text);
    for (size_t i = 0; cache && i < count; i++) {
        char *path = shard_file(stage->work, stage->kind, stage->signature, shards[i].name);
        char *entry = shard_file(cache, stage->kind, stage->signature, shards[i].name);
        int finished = path && access(path, F_OK) == 0;
        if (!path || !entry) {
            message(MESSAGE_WARNING, cache, "a finished shard is neither taken from the cache nor kept in it: out of memory");
        } else if (!finished && take && has_entry(entry)) {
            taken += (size_t)take_entry(entry, path, shard_format(stage->kind));
        } else if (finished && writable && keep(path, entry, &why) < 0) {
            message(MESSAGE_WARNING, path, "neither this nor any other finished shard is kept in the cache: %s", why.text);
            writable = 0;
        }
        free(path);
        free(entry);
    }
    return taken;
}
