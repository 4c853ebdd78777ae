/* Stable sorting by time: what happens first stands first, and what happens together keeps its order. Linear in the number of items. */
#ifndef REPRISE_TIME_ORDER_H
#define REPRISE_TIME_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

struct timed { uint32_t time, value; }; /* value: an index, or whatever belongs to the time */

/* Memory that is kept from sort to sort; start with {0}. */
struct time_order { struct timed *items; char *copy; size_t capacity, copy_capacity; };

/* Room for `count` items, and for as many of scratch behind them: order->items [2 count]. 0, or -1 with `why`. */
int time_order_room(struct time_order *order, size_t count, struct reason *why) __attribute__((warn_unused_result));
/* Sorts the first `count` of order->items: a radix sort with as many passes as the latest time needs, none if all is in order. */
void time_order_sort(struct time_order *order, size_t count);
/* Sorts `count` structs of `size` bytes that begin with their time (int32_t, not negative). 0, or -1 with `why`. */
int time_order_structs(struct time_order *order, void *structs, size_t count, size_t size, struct reason *why) __attribute__((warn_unused_result));
void time_order_free(struct time_order *order);

#endif
