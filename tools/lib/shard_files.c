#include "shard_files.h"

#include <stdlib.h>
#include <string.h>

#include "text_buffer.h"
#include "whole_file.h"

static const char blanks[] = " \t\r\n";

/* Appends folder/name.ending with its zero byte. */
static void add_path(struct text_buffer *paths, const char *folder, const char *name, const char *ending)
{
    text_printf(paths, "%s/%s.%s", folder, name, ending);
    text_add(paths, "", 1);
}

/* The paths of all shards, three each, end to end. Returns the number of shards. */
static size_t add_paths(struct text_buffer *paths, char *names, const struct shard_selection *selection)
{
    size_t count = 0, number = 0;
    char *rest = NULL;
    for (char *name = strtok_r(names, blanks, &rest); name; name = strtok_r(NULL, blanks, &rest), number++) {
        if (number % selection->parts != selection->part)
            continue;
        add_path(paths, selection->plan, name, "text");
        add_path(paths, selection->shards, name, "emb");
        add_path(paths, selection->plan, name, "text-reuse");
        count++;
    }
    return count;
}

static const char *next_path(const char **at)
{
    const char *path = *at;
    *at += strlen(path) + 1;
    return path;
}

int shard_files_read(struct shard_files *files, const struct shard_selection *selection, struct reason *why)
{
    struct whole_file names = {0};
    struct text_buffer paths = {0};
    *files = (struct shard_files){0};
    if (whole_file_read(selection->list, &names, why) < 0)
        return -1;
    const size_t count = add_paths(&paths, (char *)names.bytes, selection);
    whole_file_free(&names);
    if (paths.failed || !(files->files = calloc(count + 1, sizeof *files->files))) {
        text_free(&paths);
        return fail(why, "out of memory");
    }
    const char *at = paths.bytes;
    for (; files->count < count; files->count++) {
        struct shard_file *file = &files->files[files->count];
        file->in = next_path(&at);
        file->out = next_path(&at);
        file->reuse = next_path(&at);
    }
    files->storage = paths.bytes;
    return 0;
}

void shard_files_free(struct shard_files *files)
{
    free(files->files);
    free(files->storage);
    *files = (struct shard_files){0};
}
