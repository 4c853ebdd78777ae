#include "signature_cache.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atomic_file.h"
#include "text_buffer.h"
#include "whole_file.h"

/* The file: lines "<key> <signature> <hash of the two>", the latest first. */
enum { LINE = 3 * HASH_HEX + 3, MOST_LINES = 64 };

static int hash_file(struct stat_index *index, const char *path, struct text_buffer *contents, struct reason *why)
{
    struct hash key;
    struct reason inner;
    char hex[HASH_HEX + 1];
    int is_abc;
    if (stat_index_hash(index, path, &key, &is_abc, &inner) < 0)
        return fail(why, "%s: %s", path, inner.text);
    hash_to_hex(key, hex);
    text_printf(contents, "%s ", hex);
    return 0;
}

/* A folder's files in the order of their names, two folders deep, as models keep them. */
static int hash_folder(struct stat_index *index, const char *folder, int levels, struct text_buffer *contents, struct reason *why)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), result = 0;
    if (count < 0)
        return fail_errno(why, "%s", folder);
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        struct stat status;
        if (result == 0 && entries[i]->d_name[0] != '.') {
            if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
                path = NULL;
                result = fail(why, "out of memory");
            } else if (stat(path, &status) == 0) {
                text_printf(contents, "%s ", entries[i]->d_name);
                if (S_ISREG(status.st_mode))
                    result = hash_file(index, path, contents, why);
                else if (S_ISDIR(status.st_mode) && levels > 0)
                    result = hash_folder(index, path, levels - 1, contents, why);
            } else if (errno != ENOENT && errno != ELOOP) { /* those are links that lead nowhere */
                result = fail_errno(why, "%s", path);
            }
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int hash_path(struct stat_index *index, const char *path, struct text_buffer *contents, struct reason *why)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return fail_errno(why, "%s", path);
    return S_ISDIR(status.st_mode) ? hash_folder(index, path, 2, contents, why) : hash_file(index, path, contents, why);
}

int signature_contents(struct stat_index *index, const char *path, struct hash *contents, struct reason *why)
{
    struct text_buffer hashes = {0};
    int result = hash_path(index, path, &hashes, why);
    if (result == 0 && hashes.failed)
        result = fail(why, "out of memory");
    *contents = hash_bytes(hashes.bytes, hashes.count);
    text_free(&hashes);
    return result;
}

/* The processor's features, as the kernel lists them for the first core: a precision that this machine lacks has the signature of another one. */
static void add_processor(struct text_buffer *contents)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 1) /* an empty line ends a core's */
        if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0)
            text_add_string(contents, line);
    free(line);
    if (file)
        fclose(file);
}

static int contents_key(struct stat_index *index, const struct signature_question *question, struct hash *key, struct reason *why)
{
    struct text_buffer contents = {0};
    int result = 0;
    text_printf(&contents, "%s\n%s\n", question->command, question->settings);
    add_processor(&contents);
    for (size_t i = 0; result == 0 && i < question->depend_count; i++)
        result = hash_path(index, question->depends[i], &contents, why);
    if (result == 0 && contents.failed)
        result = fail(why, "out of memory");
    *key = hash_bytes(contents.bytes, contents.count);
    text_free(&contents);
    return result;
}

static void line_of(const char *key, const char *signature, char line[LINE + 1])
{
    char pair[2 * HASH_HEX + 2], check[HASH_HEX + 1];
    snprintf(pair, sizeof pair, "%s %s", key, signature);
    hash_to_hex(hash_bytes(pair, strlen(pair)), check);
    snprintf(line, LINE + 1, "%s %s\n", pair, check);
}

/* Whether `line` is sound and has this key; then its signature. */
static int line_answers(const char *line, const char *key, char signature[HASH_HEX + 1])
{
    struct hash value;
    char expected[LINE + 1];
    if (strncmp(line, key, HASH_HEX) != 0 || hash_from_hex(line + HASH_HEX + 1, &value) < 0)
        return 0;
    hash_to_hex(value, signature);
    line_of(key, signature, expected);
    return strncmp(line, expected, LINE) == 0;
}

static int ask_program(const char *command, char hex[HASH_HEX + 1], struct reason *why)
{
    char *asking = NULL, answer[HASH_HEX + 2] = "";
    struct hash value;
    if (asprintf(&asking, "%s --signature", command) < 0)
        return fail(why, "out of memory");
    errno = 0;
    FILE *program = popen(asking, "re");
    int told = program && fgets(answer, sizeof answer, program) != NULL;
    int ended = program ? pclose(program) : -1, result = 0;
    if (ended < 0 || !told || (ended == 0 && hash_from_hex(answer, &value) < 0))
        result = errno ? fail_errno(why, "no signature from: %s", asking) : fail(why, "no signature from: %s", asking);
    else if (ended != 0)
        result = fail(why, "no signature from: %s", asking);
    if (result == 0)
        hash_to_hex(value, hex);
    free(asking);
    return result;
}

static int remember(const char *cache, const struct whole_file *earlier, const char *key, const char *signature, struct reason *why)
{
    struct text_buffer lines = {0};
    char line[LINE + 1];
    line_of(key, signature, line);
    text_add(&lines, line, LINE);
    size_t kept = earlier->count / LINE < MOST_LINES - 1 ? earlier->count / LINE : MOST_LINES - 1;
    text_add(&lines, (const char *)earlier->bytes, kept * LINE);
    int result = lines.failed ? fail(why, "out of memory") : atomic_file_put_if_changed(cache, lines.bytes, lines.count, why);
    text_free(&lines);
    return result;
}

int signature_find(struct stat_index *index, const char *cache, const struct signature_question *question, char hex[HASH_HEX + 1], struct reason *why)
{
    struct whole_file earlier = {0};
    struct hash before, after;
    char key[HASH_HEX + 1];
    if (contents_key(index, question, &before, why) < 0)
        return -1;
    hash_to_hex(before, key);
    if (whole_file_read(cache, &earlier, NULL) < 0)
        earlier.count = 0;
    int result = 0, known = 0;
    for (size_t at = 0; !known && at + LINE <= earlier.count; at += LINE)
        known = line_answers((const char *)earlier.bytes + at, key, hex);
    if (!known) {
        result = ask_program(question->command, hex, why);
        if (result == 0)
            result = contents_key(index, question, &after, why);
        /* Files that changed in between: the answer is the program's, but nobody knows for which contents. */
        if (result == 0 && hash_equal(before, after))
            result = remember(cache, &earlier, key, hex, why);
    }
    whole_file_free(&earlier);
    return result;
}
