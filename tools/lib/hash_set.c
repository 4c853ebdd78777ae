#include "hash_set.h"

#include <stdlib.h>

#include "grow.h"

static int compare(const void *a, const void *b)
{
    return hash_compare(*(const struct hash *)a, *(const struct hash *)b);
}

int hash_set_add(struct hash_set *set, struct hash value, struct reason *why)
{
    if (GROW(set->list, set->capacity, set->count + 1, why) < 0)
        return -1;
    set->list[set->count++] = value;
    return 0;
}

void hash_set_sort(struct hash_set *set)
{
    size_t kept = 0;
    if (set->count == 0)
        return;
    qsort(set->list, set->count, sizeof *set->list, compare);
    for (size_t i = 0; i < set->count; i++)
        if (i == 0 || !hash_equal(set->list[i], set->list[kept - 1]))
            set->list[kept++] = set->list[i];
    set->count = kept;
}

size_t hash_set_place(const struct hash_set *set, struct hash value)
{
    const struct hash *found = set->count > 0 ? bsearch(&value, set->list, set->count, sizeof *set->list, compare) : NULL;
    return found ? (size_t)(found - set->list) : set->count;
}

int hash_set_holds(const struct hash_set *set, struct hash value)
{
    return hash_set_place(set, value) < set->count;
}

void hash_set_free(struct hash_set *set)
{
    free(set->list);
    *set = (struct hash_set){0};
}
