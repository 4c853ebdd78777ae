/* Arrays that grow by doubling and keep their memory: a program that reads many files allocates until the largest has been seen, then no more. */
#ifndef REPRISE_GROW_H
#define REPRISE_GROW_H

#include <stddef.h>

#include "message.h"

/* `items` is the address of the array's pointer. Makes room for `needed` items of `size` bytes. 0, or -1 with `why`: then the array is as before. */
int grow(void *items, size_t *capacity, size_t needed, size_t size, struct reason *why) __attribute__((warn_unused_result));

/* The usual case, cheap where there is room: GROW(list->notes, list->note_capacity, list->note_count + 1, why). */
#define GROW(items, capacity, needed, why) ((needed) <= (capacity) ? 0 : grow(&(items), &(capacity), (needed), sizeof *(items), (why)))

#endif
