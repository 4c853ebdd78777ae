/* What became of the pairs between two plans: compares them by the lists that the plans' records lead to (plan_record.h, item_list.h). Pairs are matched by
 * their MIDI file as given; where several pairs have one file, first those that are equal, then the others in their order. */
#ifndef REPRISE_PAIR_CHANGES_H
#define REPRISE_PAIR_CHANGES_H

#include <stddef.h>

#include "hash.h"
#include "message.h"
#include "plan_record.h"
#include "text_buffer.h"

enum { PAIR_NEW = 1, PAIR_REMOVED = 2, PAIR_MIDI = 4, PAIR_TEXT = 8, PAIR_FIELDS = 16 }; /* bits */

struct seen_pair {
    struct hash file, midi, text, fields; /* of the file's name, and of what it, the text and the other fields hold */
    size_t shard, name;                   /* in its plan; position of the file's name in `names` */
    int changes;
};

struct seen_pairs { struct seen_pair *list; size_t count, capacity; struct text_buffer names; };

struct pair_changes { struct seen_pairs now, then; }; /* both in input order; PAIR_REMOVED stands in `then` alone */

/* Compares the pairs of `now` with those of `then` (NULL: nothing is known, no changes). Shards that are equal in both are left out unless `every`. 0, or
 * -1 with `why`. */
int pair_changes_find(const char *work, const struct plan_record *now, const struct plan_record *then, int every, struct pair_changes *changes,
                      struct reason *why) __attribute__((warn_unused_result));
void pair_changes_free(struct pair_changes *changes);

static inline const char *seen_name(const struct seen_pairs *pairs, const struct seen_pair *pair)
{
    return pairs->names.bytes + pair->name;
}

#endif
