#include "limited_items.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "item_guard.h"
#include "whole_file.h"

/* The file: lines "<key> <hash of the limits>". */
enum { LINE = 2 * HASH_HEX + 2 };

struct note { struct hash key, limits; size_t order; };

struct limited_items {
    struct hash limits; /* the present ones */
    struct note *notes; /* by key, then as they were written */
    size_t count;
};

static int present_limits(struct hash *hash, struct reason *why)
{
    struct guard_limits limits;
    char text[64];
    if (guard_limits_read(&limits, why) < 0)
        return -1;
    *hash = hash_bytes(text, (size_t)snprintf(text, sizeof text, "%.17g s %zu bytes", limits.seconds, limits.memory));
    return 0;
}

static int compare_notes(const void *left, const void *right)
{
    const struct note *a = left, *b = right;
    int order = hash_compare(a->key, b->key);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* The file's end may be a line that was cut. */
static int load(struct limited_items *limited, const struct whole_file *file)
{
    limited->notes = calloc(file->count / LINE + 1, sizeof *limited->notes);
    if (!limited->notes)
        return -1;
    const char *at = (const char *)file->bytes, *end = at + file->count;
    for (const char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        struct note note = {.order = limited->count};
        if (newline - at == LINE - 1 && at[HASH_HEX] == ' ' && hash_from_hex(at, &note.key) == 0 && hash_from_hex(at + HASH_HEX + 1, &note.limits) == 0)
            limited->notes[limited->count++] = note;
    }
    qsort(limited->notes, limited->count, sizeof *limited->notes, compare_notes);
    return 0;
}

struct limited_items *limited_items_open(const char *lists, struct reason *why)
{
    struct limited_items *limited = calloc(1, sizeof *limited);
    struct whole_file file = {0};
    struct hash limits;
    char *path = NULL;
    int result = present_limits(&limits, why);
    if (result == 0 && (!limited || asprintf(&path, "%s/limited", lists) < 0))
        result = fail(why, "out of memory");
    if (result == 0) {
        limited->limits = limits;
        struct reason inner;
        errno = 0;
        if (whole_file_read(path, &file, &inner) < 0)
            result = errno == ENOENT ? 0 : fail(why, "%s: %s", path, inner.text);
        else if (load(limited, &file) < 0)
            result = fail(why, "out of memory");
        free(path);
    }
    whole_file_free(&file);
    if (result == 0)
        return limited;
    limited_items_close(limited);
    return NULL;
}

void limited_items_close(struct limited_items *limited)
{
    if (limited)
        free(limited->notes);
    free(limited);
}

static struct hash key_under(struct hash key, struct hash limits)
{
    struct hash both[2] = {key, limits};
    return hash_bytes(both, sizeof both);
}

struct hash limited_items_key(const struct limited_items *limited, struct hash key)
{
    size_t low = 0, high = limited->count; /* the first note that is not before the key's */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (hash_compare(limited->notes[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == limited->count || !hash_equal(limited->notes[low].key, key) || hash_equal(limited->notes[low].limits, limited->limits))
        return key;
    return key_under(key, limited->limits);
}

int limited_key_is(struct hash listed, struct hash key)
{
    struct hash limits;
    return hash_equal(listed, key) || (present_limits(&limits, NULL) == 0 && hash_equal(listed, key_under(key, limits)));
}

int limited_items_note(const char *list, struct hash key, struct reason *why)
{
    struct hash limits;
    char line[LINE + 1], *path = NULL;
    const char *slash = strrchr(list, '/');
    if (present_limits(&limits, why) < 0)
        return -1;
    if (asprintf(&path, "%.*slimited", slash ? (int)(slash - list) + 1 : 0, list) < 0)
        return fail(why, "out of memory");
    hash_to_hex(key, line);
    line[HASH_HEX] = ' ';
    hash_to_hex(limits, line + HASH_HEX + 1);
    line[LINE - 1] = '\n';
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666), result = 0;
    if (file < 0 || write(file, line, LINE) != LINE)
        result = fail_errno(why, "%s", path);
    if (file >= 0)
        close(file);
    free(path);
    return result;
}
