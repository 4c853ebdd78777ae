#include "large_pages.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE ((uintptr_t)2 << 20)
#define MOST_FROM_HEAP (32 << 20) /* more at a time is mapped for itself: it can grow without being copied */

static void advise(void *memory, size_t bytes)
{
    const uintptr_t begin = ((uintptr_t)memory + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1), end = ((uintptr_t)memory + bytes) & ~(LARGE_PAGE - 1);
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void large_heap(size_t bytes)
{
    mallopt(M_MMAP_THRESHOLD, MOST_FROM_HEAP);
    mallopt(M_TRIM_THRESHOLD, MOST_FROM_HEAP);
    void *heap = malloc(bytes);
    if (heap)
        advise(heap, bytes);
    free(heap);
}

void *large_block(size_t bytes, size_t large)
{
    void *block = aligned_alloc(LARGE_PAGE, bytes);
    if (block)
        advise(block, large);
    return block;
}
