/* Builds the lists of one shard after another (item_list.h) from its pairs: finds the files, hashes the contents, names the shard
 * by them, and writes the lists. What cannot be read becomes an unusable item with its reason; it never stops the plan. */
#ifndef REPRISE_SHARD_LISTS_H
#define REPRISE_SHARD_LISTS_H

#include <stddef.h>

#include "hash.h"
#include "limited_items.h"
#include "message.h"
#include "pairs_input.h"
#include "stat_index.h"

enum { LONGEST_TEXT = 16 << 20 }; /* bytes; a longer text is no caption and is quarantined */

struct shard_settings {
    const char *input;       /* relative paths are relative to its folder, then to the current one */
    const char *lists;       /* the folder of the lists */
    const struct limited_items *limited; /* what has another key than that of its contents */
    const char *piece_seed;  /* the signatures of midi2tok, text2emb and combine: what a piece's name depends on beside the contents */
};

struct shard_names { struct hash midi, text, piece; size_t pairs; };

/* The keys of the current shard's items. */
struct shard_keys { const struct hash *midi, *text; size_t count; };

struct shard_lists;

/* The settings and the index must outlive it. NULL with `why`. */
struct shard_lists *shard_lists_open(const struct shard_settings *settings, struct stat_index *index, struct reason *why) __attribute__((warn_unused_result));
/* Adds a pair to the current shard. */
int shard_lists_add(struct shard_lists *lists, const struct pair *pair, struct reason *why) __attribute__((warn_unused_result));
/* The keys of what has been added to the current shard, valid until the next call. */
struct shard_keys shard_lists_keys(const struct shard_lists *lists);
/* The names of the current shard, from what has been added. */
void shard_lists_name(const struct shard_lists *lists, struct shard_names *names);
/* Ends the shard: writes its lists under these names where they differ, and starts the next. */
int shard_lists_finish(struct shard_lists *lists, const struct shard_names *names, struct reason *why) __attribute__((warn_unused_result));
void shard_lists_close(struct shard_lists *lists);

#endif
