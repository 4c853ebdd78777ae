/* Content hashes of files, without rereading what has not changed.
 *
 * The index remembers, per path: device, inode, size, modification and change time, the content's hash, and whether it may be ABC notation. All of them equal: the hash
 * is taken over; anything different: the file is read again. Time stamps only ever save work here, they never decide anything.
 * An entry whose times are not older than the index by more than two seconds is not kept: an edit within the same tick of the
 * clock would be invisible. A damaged or foreign index is ignored. */
#ifndef REPRISE_STAT_INDEX_H
#define REPRISE_STAT_INDEX_H

#include <stddef.h>

#include "hash.h"
#include "message.h"

struct stat_index;

/* Loads `path` if there is a sound index, and starts its successor. NULL with `why` if that cannot be written. */
struct stat_index *stat_index_open(const char *path, struct reason *why) __attribute__((warn_unused_result));

/* The hash of a regular file's bytes, and whether they may be ABC notation (midi_key.h). 0, or -1 with `why` as open_regular gives it. */
int stat_index_hash(struct stat_index *index, const char *path, struct hash *key, int *is_abc, struct reason *why) __attribute__((warn_unused_result));

/* How many files were read, and how many taken over. */
size_t stat_index_files_read(const struct stat_index *index);
size_t stat_index_files_known(const struct stat_index *index);

/* Writes the successor (the files asked for since open) under `path`, and frees the index. */
int stat_index_close(struct stat_index *index, struct reason *why) __attribute__((warn_unused_result));
/* Frees the index, nothing is written. */
void stat_index_abandon(struct stat_index *index);

#endif
