/* Reading a whole file into memory. Only regular files: a FIFO, folder or device is refused at once, without blocking. */
#ifndef REPRISE_WHOLE_FILE_H
#define REPRISE_WHOLE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "message.h"

struct whole_file { uint8_t *bytes; size_t count, capacity; };

/* Whether an errno tells of the moment (no memory, too many open files, an interruption), not of the file: then an item must not be quarantined for it. */
int error_is_passing(int error);

/* In both calls: on failure errno is the system's reason, or something that is not passing where the system has none. */

/* Opens a regular file for reading; fills `status`. The descriptor, or -1 with `why` ("No such file or directory", "not a
 * regular file (a folder)"): the reason names no path, so it can stand in a record. */
int open_regular(const char *path, struct stat *status, struct reason *why);

/* Reads `path` into `file`, reusing its buffer (start with {0}). The bytes are followed by a zero byte that is not counted. 0 or -1 with `why`, as above. */
int whole_file_read(const char *path, struct whole_file *file, struct reason *why) __attribute__((warn_unused_result));
void whole_file_free(struct whole_file *file);

#endif
