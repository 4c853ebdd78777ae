#include "atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "whole_file.h"

#define TEMPORARY_PREFIX ".reprise-"

struct atomic_file {
    char *path, *temporary;
    FILE *stream;
    int failed; /* the errno of the first failure, 0 while all is well */
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int make_folders(const char *path, struct reason *why)
{
    char *prefix = strdup(path);
    if (!prefix)
        return fail(why, "%s: out of memory", path);
    for (char *at = prefix + 1;; at++) {
        char here = *at;
        if (here && here != '/')
            continue;
        *at = 0;
        if (mkdir(prefix, 0777) < 0 && errno != EEXIST) {
            fail_errno(why, "%s: cannot make the folder", prefix);
            free(prefix);
            return -1;
        }
        if (!here)
            break;
        *at = here;
    }
    struct stat status;
    int result = 0;
    if (stat(path, &status) < 0)
        result = fail_errno(why, "%s: cannot make the folder", path);
    else if (!S_ISDIR(status.st_mode))
        result = fail(why, "%s: is in the way: a folder is needed there", path);
    free(prefix);
    return result;
}

/* Makes a locked temporary file in `folder`. A sweep may unlink it between the making and the lock: then it has no name left, and the next try makes another. */
static int open_temporary(const char *folder, char **name, struct reason *why)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        if (asprintf(name, "%s/" TEMPORARY_PREFIX "XXXXXX", folder) < 0) {
            *name = NULL;
            return fail(why, "%s: out of memory", folder);
        }
        int descriptor = mkostemp(*name, O_CLOEXEC);
        if (descriptor < 0) {
            fail_errno(why, "%s: cannot make a temporary file there", folder);
            free(*name);
            *name = NULL;
            return -1;
        }
        struct stat status;
        /* A file system without locks: go on; an orphan there is never swept, and does no harm. */
        int swept = flock(descriptor, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK; /* a sweep holds it, and will unlink it */
        int known = fstat(descriptor, &status) == 0;
        if (!swept && known && status.st_nlink > 0)
            return descriptor;
        if (!known) {
            fail_errno(why, "%s: cannot be looked at", *name);
            unlink(*name);
        }
        close(descriptor);
        if (!known) {
            free(*name);
            *name = NULL;
            return -1;
        }
        free(*name);
        *name = NULL;
    }
    return fail(why, "%s: temporary files there vanish as they are made", folder);
}

/* mkstemp makes files for the owner alone; a finished file gets what the user's umask gives to any new file. */
static int give_usual_mode(int descriptor)
{
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(descriptor, 0666 & ~mask);
}

/* A rename would put a file in the place of a device or FIFO (/dev/full, say): refuse. A link is replaced, what it points to stays. */
static int may_be_replaced(const char *path, struct reason *why)
{
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return fail(why, "%s: is in the way: it is not a regular file", path);
    return 0;
}

struct atomic_file *atomic_file_open(const char *path, struct reason *why)
{
    struct atomic_file *file = calloc(1, sizeof *file);
    char *folder = folder_of(path);
    if (!file || !folder || !(file->path = strdup(path))) {
        fail(why, "%s: out of memory", path);
        goto failed;
    }
    if (may_be_replaced(path, why) < 0 || make_folders(folder, why) < 0)
        goto failed;
    int descriptor = open_temporary(folder, &file->temporary, why);
    if (descriptor < 0)
        goto failed;
    if (give_usual_mode(descriptor) < 0 || !(file->stream = fdopen(descriptor, "w"))) {
        fail_errno(why, "%s", file->temporary);
        unlink(file->temporary);
        close(descriptor);
        goto failed;
    }
    free(folder);
    return file;
failed:
    free(folder);
    if (file)
        free(file->path);
    if (file)
        free(file->temporary);
    free(file);
    return NULL;
}

static void note_failure(struct atomic_file *file)
{
    if (!file->failed)
        file->failed = errno ? errno : EIO;
}

void atomic_file_write(struct atomic_file *file, const void *bytes, size_t count)
{
    if (!file->failed && count && fwrite(bytes, 1, count, file->stream) != count)
        note_failure(file);
}

void atomic_file_printf(struct atomic_file *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!file->failed && vfprintf(file->stream, format, arguments) < 0)
        note_failure(file);
    va_end(arguments);
}

void atomic_file_overwrite(struct atomic_file *file, size_t offset, const void *bytes, size_t count)
{
    if (file->failed)
        return;
    if (fseeko(file->stream, (off_t)offset, SEEK_SET) < 0 || fwrite(bytes, 1, count, file->stream) != count ||
        fseeko(file->stream, 0, SEEK_END) < 0)
        note_failure(file);
}

void atomic_file_abandon(struct atomic_file *file)
{
    if (!file)
        return;
    if (file->temporary)
        unlink(file->temporary);
    if (file->stream)
        fclose(file->stream);
    free(file->temporary);
    free(file->path);
    free(file);
}

static int sync_folder_of(const char *path)
{
    char *folder = folder_of(path);
    if (!folder)
        return -1;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    close(descriptor);
    return result < 0 && errno != EINVAL ? -1 : 0; /* EINVAL: a file system whose folders cannot be synced */
}

static int fsync_wanted(void)
{
    const char *value = getenv("FSYNC");
    return value && strcmp(value, "1") == 0;
}

/* Flushes and, if asked to, syncs the temporary file; it stays open, so its lock lasts until it has its final name. */
static int finish_bytes(struct atomic_file *file, int durable, struct reason *why)
{
    if (!file->failed && fflush(file->stream) != 0)
        note_failure(file);
    if (!file->failed && durable && fsync(fileno(file->stream)) < 0)
        note_failure(file);
    if (!file->failed)
        return 0;
    return fail(why, "%s: cannot write: %s", file->path, strerror(file->failed));
}

/* The last steps. close(2) after the rename would report a failure too late (NFS), so a duplicate is closed before it. */
static int give_name(struct atomic_file *file, int durable, struct reason *why)
{
    int copy = dup(fileno(file->stream));
    if (copy < 0 || close(copy) < 0)
        return fail_errno(why, "%s: cannot close", file->path);
    if (rename(file->temporary, file->path) < 0)
        return fail_errno(why, "%s: cannot give the finished file its name", file->path);
    free(file->temporary);
    file->temporary = NULL;
    if (durable && sync_folder_of(file->path) < 0)
        return fail_errno(why, "%s: cannot sync its folder", file->path);
    return 0;
}

static int commit(struct atomic_file *file, int durable, struct reason *why)
{
    int result = finish_bytes(file, durable, why);
    if (result == 0)
        result = give_name(file, durable, why);
    atomic_file_abandon(file);
    return result;
}

int atomic_file_commit(struct atomic_file *file, struct reason *why)
{
    return commit(file, fsync_wanted(), why);
}

int atomic_file_commit_synced(struct atomic_file *file, struct reason *why)
{
    return commit(file, 1, why);
}

int atomic_file_put_if_changed(const char *path, const void *bytes, size_t count, struct reason *why)
{
    struct whole_file present = {0};
    int same = whole_file_read(path, &present, NULL) == 0 && present.count == count && memcmp(present.bytes, bytes, count) == 0;
    whole_file_free(&present);
    if (same)
        return 0;
    struct atomic_file *file = atomic_file_open(path, why);
    if (!file)
        return -1;
    atomic_file_write(file, bytes, count);
    return atomic_file_commit(file, why);
}

int atomic_file_copy(const char *path, const char *copy, struct reason *why)
{
    FILE *from = fopen(path, "rbe");
    if (!from)
        return fail_errno(why, "%s: cannot be copied", path);
    struct atomic_file *to = atomic_file_open(copy, why);
    char chunk[65536];
    size_t got;
    while (to && (got = fread(chunk, 1, sizeof chunk, from)) > 0)
        atomic_file_write(to, chunk, got);
    int unreadable = ferror(from);
    fclose(from);
    if (!to)
        return -1;
    if (unreadable) {
        atomic_file_abandon(to);
        return fail(why, "%s: cannot be read to copy it to %s", path, copy);
    }
    return atomic_file_commit(to, why);
}

/* The earlier file gets a second name, first a unique one, so that neither it nor an older backup is missing at any moment. */
static int keep_backup(const struct atomic_file *file, struct reason *why)
{
    char *backup = NULL, *unique = NULL;
    int result = 0;
    if (asprintf(&backup, "%s.bak", file->path) < 0 || asprintf(&unique, "%s-backup", file->temporary) < 0) {
        result = fail(why, "%s: out of memory", file->path);
    } else if (link(file->path, unique) == 0) {
        if (rename(unique, backup) < 0)
            result = fail_errno(why, "%s: cannot keep the earlier file", backup);
        unlink(unique); /* rename leaves it where both names are one file already */
    } else if (errno != ENOENT && (access(file->path, F_OK) == 0 || errno != ENOENT)) {
        result = atomic_file_copy(file->path, backup, why); /* a file system without hard links */
    }
    free(backup);
    free(unique);
    return result;
}

int atomic_file_commit_keeping_backup(struct atomic_file *file, struct reason *why)
{
    int result = finish_bytes(file, 1, why);
    if (result == 0)
        result = keep_backup(file, why);
    if (result == 0)
        result = give_name(file, 1, why);
    atomic_file_abandon(file);
    return result;
}

int atomic_file_sweep(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return 0;
    int swept = 0;
    struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0)
            continue;
        int descriptor = openat(dirfd(entries), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor < 0)
            continue;
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && unlinkat(dirfd(entries), entry->d_name, 0) == 0)
            swept++;
        close(descriptor);
    }
    closedir(entries);
    return swept;
}
