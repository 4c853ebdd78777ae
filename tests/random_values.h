/* Random shapes and values for the checks of the kernels, the same on every machine. */
#ifndef REPRISE_RANDOM_VALUES_H
#define REPRISE_RANDOM_VALUES_H

#include <stddef.h>
#include <stdint.h>

static double uniform(void) /* -1 .. 1 */
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1;
}

static size_t pick(size_t least, size_t most)
{
    return least + (size_t)((uniform() + 1) / 2 * (double)(most - least + 1)) % (most - least + 1);
}

#endif
