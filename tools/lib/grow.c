#include "grow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int grow(void *items, size_t *capacity, size_t needed, size_t size, struct reason *why)
{
    size_t wanted = *capacity < 64 ? 64 : *capacity * 2;
    if (wanted < needed)
        wanted = needed;
    if (wanted > PTRDIFF_MAX / size)
        return fail(why, "out of memory (%zu items)", needed);
    void *memory;
    memcpy(&memory, items, sizeof memory);
    memory = realloc(memory, wanted * size);
    if (!memory)
        return fail(why, "out of memory (%zu bytes)", wanted * size);
    memcpy(items, &memory, sizeof memory);
    *capacity = wanted;
    return 0;
}
