#include "memory_files.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/lib/model_json.h"
#include "../../tools/lib/whole_file.h"
#include "target.h"

enum { MOST_FILES = 32, MOST_MAPPINGS = 64, FIRST_DESCRIPTOR = 1 << 30 /* beyond all that the system gives */ };

static struct { const char *path; const void *bytes; size_t count; } files[MOST_FILES];
static int file_count;
static void *mappings[MOST_MAPPINGS];

int __wrap_open_regular(const char *path, struct stat *status, struct reason *why);
int __wrap_whole_file_read(const char *path, struct whole_file *file, struct reason *why);
int __wrap_model_has_file(const char *folder, const char *name);
void *__wrap_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset);
int __wrap_munmap(void *at, size_t count);
int __wrap_close(int descriptor);
FILE *__wrap_fdopen(int descriptor, const char *mode);
void *__real_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset);
int __real_munmap(void *at, size_t count);
int __real_close(int descriptor);
FILE *__real_fdopen(int descriptor, const char *mode);

static int find(const char *path)
{
    for (int i = 0; i < file_count; i++)
        if (strcmp(files[i].path, path) == 0)
            return i;
    return -1;
}

void memory_file_put(const char *path, const void *bytes, size_t count)
{
    int at = find(path);
    if (at < 0) {
        at = file_count++;
        REQUIRE(at < MOST_FILES);
        files[at].path = path;
    }
    files[at].bytes = bytes;
    files[at].count = count;
}

/* ---- whole_file.h ---- */

int __wrap_open_regular(const char *path, struct stat *status, struct reason *why)
{
    int at = find(path);
    if (at < 0 || !files[at].bytes) {
        fail(why, "%s", strerror(ENOENT));
        errno = ENOENT;
        return -1;
    }
    *status = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)files[at].count};
    return FIRST_DESCRIPTOR + at;
}

int __wrap_whole_file_read(const char *path, struct whole_file *file, struct reason *why)
{
    struct stat status;
    int descriptor = __wrap_open_regular(path, &status, why);
    if (descriptor < 0)
        return -1;
    file->count = files[descriptor - FIRST_DESCRIPTOR].count;
    file->capacity = file->count + 1;
    free(file->bytes);
    file->bytes = malloc(file->capacity);
    REQUIRE(file->bytes);
    memcpy(file->bytes, files[descriptor - FIRST_DESCRIPTOR].bytes, file->count);
    file->bytes[file->count] = 0;
    return 0;
}

int __wrap_model_has_file(const char *folder, const char *name)
{
    char path[MODEL_PATH];
    if (model_file(folder, name, path, NULL) < 0)
        return 0;
    int at = find(path);
    return at >= 0 && files[at].bytes;
}

/* ---- what is done with a descriptor ---- */

void *__wrap_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset)
{
    if (descriptor < FIRST_DESCRIPTOR)
        return __real_mmap(at, count, protection, flags, descriptor, offset);
    REQUIRE(offset == 0 && count == files[descriptor - FIRST_DESCRIPTOR].count);
    for (size_t i = 0; i < MOST_MAPPINGS; i++)
        if (!mappings[i])
            return mappings[i] = fuzz_copy(files[descriptor - FIRST_DESCRIPTOR].bytes, count);
    abort();
}

int __wrap_munmap(void *at, size_t count)
{
    for (size_t i = 0; i < MOST_MAPPINGS; i++)
        if (mappings[i] == at) {
            mappings[i] = NULL;
            free(at);
            return 0;
        }
    return __real_munmap(at, count);
}

int __wrap_close(int descriptor)
{
    return descriptor < FIRST_DESCRIPTOR ? __real_close(descriptor) : 0;
}

FILE *__wrap_fdopen(int descriptor, const char *mode)
{
    if (descriptor < FIRST_DESCRIPTOR)
        return __real_fdopen(descriptor, mode);
    return fmemopen((void *)files[descriptor - FIRST_DESCRIPTOR].bytes, files[descriptor - FIRST_DESCRIPTOR].count, mode);
}
