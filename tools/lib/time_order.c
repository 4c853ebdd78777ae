#include "time_order.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define DIGIT_BITS 13 /* at most: the counts of a digit's values fill a core's nearest cache */

static inline uint32_t time_of(const char *item)
{
    uint32_t time;
    memcpy(&time, item, sizeof time);
    return time;
}

/* Whether all is in order already; else `bits` is how many the times have. */
static int in_order(const char *structs, size_t count, size_t size, unsigned *bits)
{
    const char *end = structs + count * size;
    uint32_t latest = 0;
    for (; structs < end && time_of(structs) >= latest; structs += size)
        latest = time_of(structs);
    if (structs == end)
        return 1;
    uint32_t all = latest; /* no time before has a higher bit */
    for (; structs < end; structs += size)
        all |= time_of(structs);
    *bits = all ? 32 - (unsigned)__builtin_clz(all) : 1;
    return 0;
}

/* Few wide digits for many structs, more narrow ones for few: a pass costs about four steps for each struct and one for each value of its digit. */
static unsigned passes_for(unsigned bits, size_t count)
{
    unsigned best = 0;
    size_t least = SIZE_MAX;
    for (unsigned passes = 1; passes <= 4; passes++) {
        unsigned digit = (bits + passes - 1) / passes;
        size_t cost = passes * (4 * count + ((size_t)1 << digit));
        if (digit <= DIGIT_BITS && cost < least) {
            least = cost;
            best = passes;
        }
    }
    return best;
}

/* The next two are inlined for each size, so that a struct is moved in a few instructions. */
static inline __attribute__((always_inline)) void sort_by_digit(const char *from, char *to, size_t count, size_t size, unsigned shift, unsigned bits)
{
    uint32_t place[1 << DIGIT_BITS], mask = (1u << bits) - 1, total = 0;
    memset(place, 0, sizeof *place << bits);
    for (size_t i = 0; i < count; i++)
        place[time_of(from + i * size) >> shift & mask]++;
    for (uint32_t digit = 0; digit <= mask; digit++) {
        uint32_t here = place[digit];
        place[digit] = total;
        total += here;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(to + place[time_of(from + i * size) >> shift & mask]++ * size, from + i * size, size);
}

/* Sorts from one place to the other and back, pass after pass; returns the one where the structs are then. */
static inline __attribute__((always_inline)) char *sort_passes(char *from, char *to, size_t count, size_t size, unsigned bits, unsigned passes)
{
    unsigned digit = (bits + passes - 1) / passes;
    for (unsigned pass = 0; pass < passes; pass++) {
        sort_by_digit(from, to, count, size, pass * digit, digit);
        char *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

static char *sort_structs(char *from, char *to, size_t count, size_t size, unsigned bits, unsigned passes)
{
    switch (size) {
    case 4: return sort_passes(from, to, count, 4, bits, passes);
    case 12: return sort_passes(from, to, count, 12, bits, passes);
    case 20: return sort_passes(from, to, count, 20, bits, passes);
    default: return sort_passes(from, to, count, size, bits, passes);
    }
}

int time_order_sort(struct time_order *order, void *structs, size_t count, size_t size, struct reason *why)
{
    unsigned bits;
    if (count < 2 || in_order(structs, count, size, &bits))
        return 0;
    if (GROW(order->copy, order->capacity, count * size, why) < 0)
        return -1;
    unsigned passes = passes_for(bits, count);
    if (passes & 1) { /* the last pass ends where they belong */
        memcpy(order->copy, structs, count * size);
        sort_structs(order->copy, structs, count, size, bits, passes);
    } else {
        sort_structs(structs, order->copy, count, size, bits, passes);
    }
    return 0;
}

int time_order_sort_list(struct time_order *order, void *list, size_t *capacity, size_t count, size_t size, struct reason *why)
{
    unsigned bits;
    char *structs;
    memcpy(&structs, list, sizeof structs);
    if (count < 2 || in_order(structs, count, size, &bits))
        return 0;
    if (GROW(order->copy, order->capacity, *capacity * size, why) < 0)
        return -1;
    char *sorted = sort_structs(structs, order->copy, count, size, bits, passes_for(bits, count));
    if (sorted == structs)
        return 0;
    const size_t copy_capacity = order->capacity;
    memcpy(list, &sorted, sizeof sorted);
    order->copy = structs;
    order->capacity = *capacity * size;
    *capacity = copy_capacity / size;
    return 0;
}

void time_order_free(struct time_order *order)
{
    free(order->copy);
    *order = (struct time_order){0};
}
