/* Stable sorting by time: what happens first stands first, and what happens together keeps its order. Linear in the number of structs. */
#ifndef REPRISE_TIME_ORDER_H
#define REPRISE_TIME_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* Memory that is kept from sort to sort; start with {0}. */
struct time_order { char *copy; size_t capacity; };

/* Sorts `count` structs (below 2^32) of `size` bytes that begin with their time (uint32_t, or int32_t and not negative): a radix sort with as many passes as the
 * latest time needs, none if all is in order. 0, or -1 with `why`. */
int time_order_sort(struct time_order *order, void *structs, size_t count, size_t size, struct reason *why) __attribute__((warn_unused_result));
/* The same for a list (`list`: the address of its pointer) with room for *capacity structs: where that spares copying, its memory is exchanged for the sorter's. */
int time_order_sort_list(struct time_order *order, void *list, size_t *capacity, size_t count, size_t size, struct reason *why) __attribute__((warn_unused_result));
void time_order_free(struct time_order *order);

#endif
