/* Where things lie in WORK_DIR, and, under the same relative names, in CACHE_DIR. All paths are the caller's to free; NULL without memory. */
#ifndef REPRISE_WORK_FILES_H
#define REPRISE_WORK_FILES_H

#include "hash.h"
#include "known_shards.h"
#include "message.h"

/* "tok" or "emb": the folder and the ending of a stage's shards; and the format they state (shard.h). */
const char *shard_ending(enum shard_kind kind);
const char *shard_format(enum shard_kind kind);

char *shard_file(const char *folder, enum shard_kind kind, const char *signature, struct hash name); /* <folder>/tok/<signature>/<name>.tok */
char *piece_file(const char *work, struct hash name);                                                /* <work>/pieces/<name>.piece */
char *list_file(const char *work, struct hash name, const char *ending);                             /* <work>/plan/<name>.<ending> */

/* Whether the file is there: 1 or 0, or -1 with `why` where that cannot be seen, as on a failing disk; also for a `path` that is NULL, without memory. So nobody takes a
 * moment's fault for a missing file. */
int is_there(const char *path, struct reason *why) __attribute__((warn_unused_result));

#endif
