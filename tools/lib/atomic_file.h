/* A file that appears under its name complete, or not at all.
 *
 * The bytes go to a temporary file beside the final one (`.reprise-XXXXXX`, by mkstemp), are checked through write, flush and
 * close, and the name is given by rename(2) as the last step. A process killed at any moment leaves the earlier file, or
 * none, under the final name. While it is written the temporary file is locked (flock); the kernel drops the lock with the process, so
 * atomic_file_sweep can tell an orphan from a file at work, whoever else is running.
 *
 * With FSYNC=1 in the environment every commit is also fsynced, the folder too, so the name survives a loss of power. */
#ifndef REPRISE_ATOMIC_FILE_H
#define REPRISE_ATOMIC_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "message.h"

struct atomic_file;

/* Starts writing `path`. Missing parent folders are made; a folder, device or FIFO of that name is refused. NULL with `why` on failure. */
struct atomic_file *atomic_file_open(const char *path, struct reason *why) __attribute__((warn_unused_result));

/* Appends; an error is remembered and reported by the commit, so a writer may ignore it here. */
void atomic_file_write(struct atomic_file *file, const void *bytes, size_t count);
void atomic_file_printf(struct atomic_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Overwrites `count` bytes at `offset`, which must have been written already (a header completed late). */
void atomic_file_overwrite(struct atomic_file *file, size_t offset, const void *bytes, size_t count);

/* Flushes, closes, renames. Frees `file` in every case. 0, or -1 with `why`: then nothing appeared under the name. */
int atomic_file_commit(struct atomic_file *file, struct reason *why) __attribute__((warn_unused_result));
/* As commit, but fsynced in every case. */
int atomic_file_commit_synced(struct atomic_file *file, struct reason *why) __attribute__((warn_unused_result));
/* As commit, but an earlier file stays as `path.bak`; its name never vanishes. Always fsynced. */
int atomic_file_commit_keeping_backup(struct atomic_file *file, struct reason *why) __attribute__((warn_unused_result));
/* Drops the temporary file; nothing appears. Frees `file`. NULL is allowed. */
void atomic_file_abandon(struct atomic_file *file);

/* Writes a whole file at once; where the name exists with exactly these bytes it is left untouched (its time stamp stays). */
int atomic_file_put_if_changed(const char *path, const void *bytes, size_t count, struct reason *why) __attribute__((warn_unused_result));

/* Copies a file, so that the copy appears whole. 0, or -1 with `why`. */
int atomic_file_copy(const char *from, const char *to, struct reason *why) __attribute__((warn_unused_result));

/* Removes orphaned temporary files in `folder` (not below it). Returns how many; a missing folder has none. */
int atomic_file_sweep(const char *folder);

/* mkdir -p. */
int make_folders(const char *path, struct reason *why) __attribute__((warn_unused_result));

#endif
