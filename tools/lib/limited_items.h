/* Items that a limit kept out of a dataset (ITEM_TIMEOUT, ITEM_MEMORY, a program that died of them twice) are tried again under other limits.
 *
 * Their outcome depends on more than their contents, so their names must too. Whoever quarantines such an item notes its key and the limits in the file `limited`
 * beside the list (WORK_DIR/plan). Under the limits of an item's first note it keeps the key of its contents, which that outcome is stored under; under any other
 * limits plan gives it a key of its own, so its shard has another name, in which the item is tried again and its neighbours are copied from the
 * earlier one. Items that no limit has ever met have one key whatever the limits; a result is not taken back because the limits became lower. */
#ifndef REPRISE_LIMITED_ITEMS_H
#define REPRISE_LIMITED_ITEMS_H

#include "hash.h"
#include "message.h"

struct limited_items;

/* What is noted in the folder of the lists, for the limits in the environment. NULL with `why`: no memory, the limits are none (item_guard.h), or the notes are there and cannot be read:
 * taken for none, items that a limit kept out would stay out under every other. Lines that are damaged count as not there. */
struct limited_items *limited_items_open(const char *lists, struct reason *why) __attribute__((warn_unused_result));
/* The key, under the present limits, of an item with the contents' key `key`. */
struct hash limited_items_key(const struct limited_items *limited, struct hash key);
void limited_items_close(struct limited_items *limited); /* NULL is allowed */

/* Whether plan may have listed contents of this key under `listed`, with the present limits. */
int limited_key_is(struct hash listed, struct hash key);
/* Notes that the item `key` of the list at this path was kept out by the present limits. */
int limited_items_note(const char *list, struct hash key, struct reason *why) __attribute__((warn_unused_result));

#endif
