#include "output_record.h"

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

static int size_of(const char *folder, const char *name, unsigned long long *size)
{
    struct stat status;
    char *path = path_in(folder, name);
    int result = path && stat(path, &status) == 0 && S_ISREG(status.st_mode) ? 0 : -1;
    if (result == 0)
        *size = (unsigned long long)status.st_size;
    free(path);
    return result;
}

static int line_holds(const char *folder, const char *line)
{
    char *name;
    unsigned long long recorded = strtoull(line, &name, 10), size;
    return name > line && *name == ' ' && size_of(folder, name + 1, &size) == 0 && size == recorded;
}

int output_record_hash(const char *folder, char hash[HASH_HEX + 1])
{
    struct whole_file record = {0};
    struct hash value;
    char *path = path_in(folder, ".record");
    int result = path && whole_file_read(path, &record, NULL) == 0 && hash_from_hex((const char *)record.bytes, &value) == 0 ? 0 : -1;
    if (result == 0)
        hash_to_hex(value, hash);
    free(path);
    whole_file_free(&record);
    return result;
}

int output_record_withdraw(const char *folder)
{
    char line[HASH_HEX + 2], *path = path_in(folder, ".record");
    int withdrawn = path && output_record_hash(folder, line) == 0;
    if (withdrawn) {
        line[HASH_HEX] = '\n';
        withdrawn = atomic_file_put_if_changed(path, line, sizeof line - 1, NULL) == 0;
    }
    free(path);
    return withdrawn;
}

int output_record_is_current(const char *folder, const char *hash)
{
    struct whole_file record = {0};
    char *path = path_in(folder, ".record");
    int current = path && whole_file_read(path, &record, NULL) == 0 && record.count > 0 && record.bytes[record.count - 1] == '\n';
    int lines = 0;
    char *rest = (char *)record.bytes;
    for (char *line = current ? strsep(&rest, "\n") : NULL; current && line && *line; line = strsep(&rest, "\n"), lines++)
        current = lines == 0 ? strcmp(line, hash) == 0 : line_holds(folder, line);
    free(path);
    whole_file_free(&record);
    return current && lines > 1;
}

int output_record_write(const char *folder, const char *hash, const char *const names[], size_t count, struct reason *why)
{
    struct text_buffer record = {0};
    text_printf(&record, "%s\n", hash);
    for (size_t i = 0; i < count; i++) {
        unsigned long long size;
        if (size_of(folder, names[i], &size) < 0) {
            fail_errno(why, "%s/%s: no such output", folder, names[i]);
            text_free(&record);
            return -1;
        }
        text_printf(&record, "%llu %s\n", size, names[i]);
    }
    char *path = path_in(folder, ".record");
    int result = !path || record.failed ? fail(why, "out of memory") : atomic_file_put_if_changed(path, record.bytes, record.count, why);
    free(path);
    text_free(&record);
    return result;
}
