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

int open_regular(const char *path, struct stat *status, struct reason *why)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; a regular file does not mind it. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        /* A socket refuses to open with ENXIO; say what it is. */
        if (errno == ENXIO)
            return fail(why, "not a regular file");
        return fail(why, "%s", strerror(errno));
    }
    if (fstat(descriptor, status) < 0) {
        fail(why, "%s", strerror(errno));
        close(descriptor);
        return -1;
    }
    if (!S_ISREG(status->st_mode)) {
        close(descriptor);
        return fail(why, "not a regular file (%s)", kind_of(status->st_mode));
    }
    return descriptor;
}

static int grow(struct whole_file *file, size_t capacity, struct reason *why)
{
    uint8_t *bytes = realloc(file->bytes, capacity);
    if (!bytes)
        return fail(why, "out of memory (%zu bytes)", capacity);
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
            return fail(why, "read: %s", strerror(errno));
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
    close(descriptor); /* only read: nothing can be lost here */
    return result;
}

void whole_file_free(struct whole_file *file)
{
    free(file->bytes);
    *file = (struct whole_file){0};
}
