/* A set of hashes: a sorted list without repetition. */
#ifndef REPRISE_HASH_SET_H
#define REPRISE_HASH_SET_H

#include <stddef.h>

#include "hash.h"
#include "message.h"

struct hash_set { struct hash *list; size_t count, capacity; };

int hash_set_add(struct hash_set *set, struct hash value, struct reason *why) __attribute__((warn_unused_result));
void hash_set_sort(struct hash_set *set); /* after the last value, before the first question */
/* Where the value is in the list; `count` if it is not there. */
size_t hash_set_place(const struct hash_set *set, struct hash value);
int hash_set_holds(const struct hash_set *set, struct hash value);
void hash_set_free(struct hash_set *set);

#endif
