/* The lists that plan writes, one per shard and kind, in WORK_DIR/plan: the input of midi2tok (.midi), text2emb (.text) and combine (.pairs).
 *
 * JSON lines, one item a line, in shard order (bytes of a file name that are not UTF-8 stand as \udc80..\udcff, see json_stream.h; text is always UTF-8):
 *   .midi   ["<key>","<path>"]              or ["<key>","<path>","<why it cannot be read>"]
 *   .text   ["<key>","<text>"]              or ["<key>","","<why there is no text>"]
 *   .pairs  ["<midi_file as given>","<text>",{other fields of the pair}]
 * The key is the hash of the item's content as plan saw it (32 hexadecimal digits; midi_key.h and limited_items.h say when it is that of more). A program that reads
 * the content again must find the same key, or else report the item as changed during the run. */
#ifndef REPRISE_ITEM_LIST_H
#define REPRISE_ITEM_LIST_H

#include <stddef.h>

#include "hash.h"
#include "message.h"

struct item {
    struct hash key;
    const char *value; /* path or text; may hold zero bytes only in a text; always zero-terminated */
    size_t value_length;
    const char *unusable; /* NULL, or plan's reason: the item is quarantined with it */
};

struct item_list { struct item *items; size_t count; void *storage; };

/* 0, or -1 with `why` (which names the line). Works for .midi and .text. */
int item_list_read(const char *path, struct item_list *list, struct reason *why) __attribute__((warn_unused_result));
void item_list_free(struct item_list *list);

#endif
