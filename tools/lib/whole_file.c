#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a FIFO";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

int error_is_passing(int error)
{
    switch (error) {
    case ENOMEM: case EMFILE: case ENFILE: case EINTR: case EAGAIN: case ENOBUFS: case ESTALE: case ETIMEDOUT: return 1;
    default: return 0;
    }
}

/* Fills `why` from errno, and leaves errno as it is. */
static int fail_keeping_errno(struct reason *why, const char *before)
{
    int error = errno;
    fail(why, "%s%s", before, strerror(error));
    errno = error;
    return -1;
}

int open_regular(const char *path, struct stat *status, struct reason *why)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; a regular file does not mind it. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        /* A socket refuses to open with ENXIO; say what it is. */
        if (errno == ENXIO)
            return fail(why, "not a regular file");
        return fail_keeping_errno(why, "");
    }
    if (fstat(descriptor, status) < 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return fail_keeping_errno(why, "");
    }
    if (!S_ISREG(status->st_mode)) {
        close(descriptor);
        errno = 0;
        return fail(why, "not a regular file (%s)", kind_of(status->st_mode));
    }
    return descriptor;
}

static int grow(struct whole_file *file, size_t capacity, struct reason *why)
{
    uint8_t *bytes = realloc(file->bytes, capacity);
    if (!bytes) {
        fail(why, "out of memory (%zu bytes)", capacity);
        errno = ENOMEM;
        return -1;
    }
    file->bytes = bytes;
    file->capacity = capacity;
    return 0;
}

/* The size from fstat is only a first guess: the file may grow or shrink while it is read. */
static int read_all(int descriptor, size_t guess, struct whole_file *file, struct reason *why)
{
    file->count = 0;
    if (file->capacity < guess + 2 && grow(file, guess + 2, why) < 0)
        return -1;
    for (;;) {
        if (file->count + 1 >= file->capacity && grow(file, file->capacity * 2, why) < 0)
            return -1;
        ssize_t got = read(descriptor, file->bytes + file->count, file->capacity - 1 - file->count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_keeping_errno(why, "read: ");
        if (got == 0)
            break;
        file->count += (size_t)got;
    }
    file->bytes[file->count] = 0;
    return 0;
}

int whole_file_read(const char *path, struct whole_file *file, struct reason *why)
{
    struct stat status;
    int descriptor = open_regular(path, &status, why);
    if (descriptor < 0)
        return -1;
    int result = read_all(descriptor, status.st_size > 0 ? (size_t)status.st_size : 0, file, why);
    int error = errno;
    close(descriptor); /* only read: nothing can be lost here */
    errno = error;
    return result;
}

void whole_file_free(struct whole_file *file)
{
    free(file->bytes);
    *file = (struct whole_file){0};
}
