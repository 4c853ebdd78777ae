#include "time_order.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define DIGIT_BITS 8
#define DIGITS (1u << DIGIT_BITS)

static int in_order(const struct timed *items, size_t count, uint32_t *latest)
{
    int ordered = 1;
    for (size_t i = 0; i < count; i++) {
        if (items[i].time >= *latest)
            *latest = items[i].time;
        else
            ordered = 0;
    }
    return ordered;
}

static void sort_by_digit(const struct timed *from, struct timed *to, size_t count, unsigned shift)
{
    size_t place[DIGITS] = {0}, total = 0;
    for (size_t i = 0; i < count; i++)
        place[from[i].time >> shift & (DIGITS - 1)]++;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = place[digit];
        place[digit] = total;
        total += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[from[i].time >> shift & (DIGITS - 1)]++] = from[i];
}

int time_order_room(struct time_order *order, size_t count, struct reason *why)
{
    return GROW(order->items, order->capacity, 2 * count, why);
}

void time_order_sort(struct time_order *order, size_t count)
{
    uint32_t latest = 0;
    if (in_order(order->items, count, &latest))
        return;
    struct timed *from = order->items, *to = order->items + count;
    for (unsigned shift = 0; shift < 32 && latest >> shift > 0; shift += DIGIT_BITS) {
        sort_by_digit(from, to, count, shift);
        struct timed *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != order->items)
        memcpy(order->items, from, count * sizeof *from);
}

/* Inlined for each size, so that a struct is moved in a few instructions. */
static inline __attribute__((always_inline)) void sort_structs(struct time_order *order, char *structs, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t time;
        memcpy(&time, structs + i * size, sizeof time);
        order->items[i] = (struct timed){time, (uint32_t)i};
    }
    time_order_sort(order, count);
    memcpy(order->copy, structs, count * size);
    for (size_t i = 0; i < count; i++)
        memcpy(structs + i * size, order->copy + order->items[i].value * size, size);
}

static int structs_in_order(const char *structs, size_t count, size_t size)
{
    uint32_t latest = 0, time;
    for (size_t i = 0; i < count; i++) {
        memcpy(&time, structs + i * size, sizeof time);
        if (time < latest)
            return 0;
        latest = time;
    }
    return 1;
}

int time_order_structs(struct time_order *order, void *structs, size_t count, size_t size, struct reason *why)
{
    if (count < 2 || structs_in_order(structs, count, size))
        return 0;
    if (time_order_room(order, count, why) < 0 || GROW(order->copy, order->copy_capacity, count * size, why) < 0)
        return -1;
    switch (size) {
    case 12: sort_structs(order, structs, count, 12); break;
    case 20: sort_structs(order, structs, count, 20); break;
    default: sort_structs(order, structs, count, size); break;
    }
    return 0;
}

void time_order_free(struct time_order *order)
{
    free(order->items);
    free(order->copy);
    *order = (struct time_order){0};
}
