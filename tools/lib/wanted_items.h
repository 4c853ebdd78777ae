/* What INPUT needs, by the name under which a checkpoint knows it: a MIDI file by its path as INPUT gives it or as it was found, a text by itself. So a record is
 * matched by what it is about, never by its position. Takes some hundred bytes a pair. */
#ifndef REPRISE_WANTED_ITEMS_H
#define REPRISE_WANTED_ITEMS_H

#include <stddef.h>

#include "hash.h"
#include "known_shards.h"
#include "message.h"
#include "plan_record.h"
#include "text_buffer.h"

struct wanted_item {
    struct hash name; /* of the path or the text */
    struct hash key;  /* of the content now */
    size_t path;      /* where a MIDI file lies: in `paths` */
    int finished;     /* its shard is there */
};

struct wanted_items {
    struct wanted_item *items; /* by name */
    size_t count, capacity;
    struct text_buffer paths;
};

/* 0, or -1 with `why`. */
int wanted_items_read(struct wanted_items *wanted, const char *work, const struct plan_record *plan, enum shard_kind kind, struct reason *why)
    __attribute__((warn_unused_result));
/* NULL: not wanted. */
const struct wanted_item *wanted_items_find(const struct wanted_items *wanted, const char *name, size_t length);
void wanted_items_free(struct wanted_items *wanted);

#endif
