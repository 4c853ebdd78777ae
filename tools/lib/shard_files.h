/* Which shard is made from which list: what a program that makes many shards in one call works on. */
#ifndef REPRISE_SHARD_FILES_H
#define REPRISE_SHARD_FILES_H

#include <stddef.h>

#include "message.h"

struct shard_file { const char *in, *out, *reuse; }; /* reuse: a list of finished shards to copy from (reuse.h), or NULL */

struct shard_files { struct shard_file *files; size_t count; void *storage; };

/* Reads names from the file `list`, between white space: name N means plan's list PLAN/N.text, made into SHARDS/N.emb, and PLAN/N.text-reuse. Of every
 * `parts` names it takes number `part`, from 0. 0, or -1 with `why`. */
struct shard_selection { const char *list, *plan, *shards; size_t part, parts; };
int shard_files_read(struct shard_files *files, const struct shard_selection *selection, struct reason *why) __attribute__((warn_unused_result));
void shard_files_free(struct shard_files *files);

#endif
