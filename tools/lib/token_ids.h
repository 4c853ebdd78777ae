/* A growing list of token ids, to which the subword engines append. It keeps its memory from text to text. */
#ifndef REPRISE_TOKEN_IDS_H
#define REPRISE_TOKEN_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "grow.h"

struct token_ids { int32_t *ids; size_t count, capacity; }; /* begin with {0} */

static inline int token_ids_add(struct token_ids *list, int32_t id, struct reason *why)
{
    if (GROW(list->ids, list->capacity, list->count + 1, why) < 0)
        return -1;
    list->ids[list->count++] = id;
    return 0;
}

#endif
