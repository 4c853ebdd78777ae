#include "output_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atomic_file.h"
#include "text_buffer.h"
#include "whole_file.h"

/* Format: a line "<hash>", then a line "<size> <name>" for each file. */

static char *path_in(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* 1, 0 if there is no such file, -1 with `why` if that could not be seen. */
static int size_of(const char *folder, const char *name, unsigned long long *size, struct reason *why)
{
    struct stat status;
    char *path = path_in(folder, name);
    int result = 0;
    if (!path)
        result = fail(why, "out of memory");
    else if (stat(path, &status) < 0)
        result = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : fail_errno(why, "%s", path);
    else if (S_ISREG(status.st_mode))
        result = 1;
    if (result == 1)
        *size = (unsigned long long)status.st_size;
    free(path);
    return result;
}

static int line_holds(const char *folder, const char *line, struct reason *why)
{
    char *name;
    unsigned long long recorded = strtoull(line, &name, 10), size;
    if (name == line || *name != ' ')
        return 0;
    int there = size_of(folder, name + 1, &size, why);
    return there > 0 ? size == recorded : there;
}

/* Reads the record: 1, 0 if there is none, -1 with `why`. */
static int read_record(const char *folder, struct whole_file *record, struct reason *why)
{
    struct reason inner;
    char *path = path_in(folder, ".record");
    int result = !path ? fail(why, "out of memory") : whole_file_read(path, record, &inner) == 0 ? 1 : 0;
    if (result == 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != 0) /* 0: a folder or the like has its name */
        result = fail(why, "%s: %s", path, inner.text);
    free(path);
    return result;
}

int output_record_hash(const char *folder, char hash[HASH_HEX + 1], struct reason *why)
{
    struct whole_file record = {0};
    struct hash value;
    int result = read_record(folder, &record, why);
    if (result > 0)
        result = hash_from_hex((const char *)record.bytes, &value) == 0;
    if (result > 0)
        hash_to_hex(value, hash);
    whole_file_free(&record);
    return result;
}

int output_record_withdraw(const char *folder, struct reason *why)
{
    char line[HASH_HEX + 2];
    int there = output_record_hash(folder, line, why);
    if (there <= 0)
        return there;
    char *path = path_in(folder, ".record");
    struct atomic_file *file = path ? atomic_file_open(path, why) : NULL;
    line[HASH_HEX] = '\n';
    if (file)
        atomic_file_write(file, line, HASH_HEX + 1);
    int result = file ? atomic_file_commit_synced(file, why) : path ? -1 : fail(why, "out of memory");
    free(path);
    return result < 0 ? -1 : 1;
}

int output_record_is_current(const char *folder, const char *hash, struct reason *why)
{
    struct whole_file record = {0};
    int current = read_record(folder, &record, why), lines = 0;
    if (current > 0)
        current = record.count > 0 && record.bytes[record.count - 1] == '\n';
    char *rest = (char *)record.bytes;
    for (char *line = current > 0 ? strsep(&rest, "\n") : NULL; current > 0 && line && *line; line = strsep(&rest, "\n"), lines++)
        current = lines == 0 ? strcmp(line, hash) == 0 : line_holds(folder, line, why);
    whole_file_free(&record);
    return current > 0 ? lines > 1 : current;
}

int output_record_write(const char *folder, const char *hash, const char *const names[], size_t count, struct reason *why)
{
    struct text_buffer record = {0};
    text_printf(&record, "%s\n", hash);
    for (size_t i = 0; i < count; i++) {
        unsigned long long size;
        int there = size_of(folder, names[i], &size, why);
        if (there == 0)
            fail(why, "%s/%s: no such output", folder, names[i]);
        if (there <= 0) {
            text_free(&record);
            return -1;
        }
        text_printf(&record, "%llu %s\n", size, names[i]);
    }
    char *path = path_in(folder, ".record");
    int result = !path || record.failed ? fail(why, "out of memory") : 0;
    struct atomic_file *file = result == 0 ? atomic_file_open(path, why) : NULL;
    if (file)
        atomic_file_write(file, record.bytes, record.count);
    result = file ? atomic_file_commit_synced(file, why) : -1; /* as the outputs are */
    free(path);
    text_free(&record);
    return result;
}
