#include "file_walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

struct walk { file_visitor *visit; void *context; };

static int walk_path(const struct walk *walk, const char *path, const char *parent, int level, struct reason *why);

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int walk_contents(const struct walk *walk, const char *path, int level, struct reason *why)
{
    DIR *entries = opendir(path);
    if (!entries)
        return errno == ENOENT ? 0 : fail_errno(why, "%s", path);
    int result = 0;
    struct dirent *entry = NULL;
    for (errno = 0; result == 0 && (entry = readdir(entries)); errno = 0) {
        char *below = NULL;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
            result = fail(why, "%s: out of memory", path);
        else
            result = walk_path(walk, below, name_in(path), level + 1, why);
        free(below);
    }
    if (result == 0 && !entry && errno != 0)
        result = fail_errno(why, "%s", path);
    closedir(entries);
    return result;
}

static int walk_path(const struct walk *walk, const char *path, const char *parent, int level, struct reason *why)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : fail_errno(why, "%s", path);
    struct walk_entry entry = {WALK_FILE, path, name_in(path), parent, level, &status};
    if (S_ISREG(status.st_mode))
        return walk->visit(walk->context, &entry, why);
    if (!S_ISDIR(status.st_mode))
        return 0;
    if (level == DEEPEST)
        return fail(why, "%s: more than %d folders deep", path, DEEPEST);
    entry.event = WALK_FOLDER;
    int result = walk->visit(walk->context, &entry, why);
    if (result == 0)
        result = walk_contents(walk, path, level, why);
    entry.event = WALK_FOLDER_DONE;
    return result == 0 ? walk->visit(walk->context, &entry, why) : result;
}

int file_walk(const char *folder, file_visitor *visit, void *context, struct reason *why)
{
    return walk_path(&(struct walk){visit, context}, folder, "", 0, why);
}
