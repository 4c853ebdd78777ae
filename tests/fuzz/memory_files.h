/* Files that a fuzz target has in memory, under names of its own choice: a run touches no disk, and makes no system call.
 *
 * The library opens files through whole_file.h alone, so its calls, and what is done with the descriptors that they give, are wrapped when a target is linked
 * (FUZZ_WRAPS in fuzz.mk). A mapped file is a copy of exactly its size, so a sanitizer sees any step beyond its last byte, which behind a true mapping it does not. */
#ifndef REPRISE_FUZZ_MEMORY_FILES_H
#define REPRISE_FUZZ_MEMORY_FILES_H

#include <stddef.h>

/* Both are kept as they are, not copied; bytes NULL: there is no such file any more. */
void memory_file_put(const char *path, const void *bytes, size_t count);

#endif
