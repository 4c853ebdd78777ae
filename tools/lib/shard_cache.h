/* The cache of finished shards: CACHE_DIR, with the same relative names as WORK_DIR (tok/<signature>/<name>.tok …), used where the environment says
 * USE_CACHE=1. It outlives WORK_DIR, and people and machines may share it: an entry appears whole by link(2) or rename(2), or not at all, and
 * is never changed afterwards, so nobody has to wait for anybody.
 *
 * An entry is a second name of the same file; on another file system, or where linking is not allowed, it is a copy. It is read and verified
 * before it is taken; one that is damaged is dropped, and the shard is built. Taking an entry sets its time of modification, by which cache_gc
 * knows what has not been used for longest. A cache that cannot be used never fails a run: that is a
 * warning, one for the whole run where it cannot be written at all. */
#ifndef REPRISE_SHARD_CACHE_H
#define REPRISE_SHARD_CACHE_H

#include <stddef.h>

#include "message.h"
#include "stage_survey.h"

/* CACHE_DIR, or NULL where no cache is used. */
const char *shard_cache_folder(void);

/* Keeps the finished shard `path`, …/tok/<signature>/<name>.tok. Does nothing without a cache, or for a file with another kind of path. */
void shard_cache_keep(const char *path);

/* What the cache lacks of the stage's finished shards is kept, and, where `take` is set, what it has of the missing ones is put into place. Returns how many shards
 * were taken. */
size_t shard_cache_exchange(const struct stage *stage, const struct stage_shard *shards, size_t count, int take);

#endif
