/* Sets of code points as tables of ranges, ascending and apart. */
#ifndef REPRISE_CODE_POINTS_H
#define REPRISE_CODE_POINTS_H

#include <stddef.h>
#include <stdint.h>

struct code_points { uint32_t first, last; };

static inline int holds(const struct code_points *ranges, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && c >= ranges[low].first;
}
#define HOLDS(ranges, c) holds(ranges, sizeof ranges / sizeof *ranges, c)

#endif
