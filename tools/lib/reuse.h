/* Items that finished shards hold already: copied from there instead of computed again (--reuse FILE, written by plan).
 *
 * FILE names shards, one path a line. Each is verified when it is opened and must have the wanted signature, so a copied record is
 * what this program would compute; a shard that is damaged, of other settings or gone is passed over. Items with an error are not copied: they are tried again. */
#ifndef REPRISE_REUSE_H
#define REPRISE_REUSE_H

#include "hash.h"
#include "message.h"
#include "shard.h"

struct reuse;

/* `list` may be NULL or name no file: then nothing can be reused. NULL with `why` only without memory. */
struct reuse *reuse_open(const char *list, const char *format, const char *signature, struct reason *why) __attribute__((warn_unused_result));
/* The shard that holds a finished record of this key, and its place there; NULL: none. */
const struct shard *reuse_find(const struct reuse *reuse, struct hash key, size_t *item);
void reuse_close(struct reuse *reuse); /* NULL is allowed */

#endif
