#include "large_heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE ((uintptr_t)2 << 20)
#define HEAP ((size_t)64 << 20)

void large_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    void *heap = malloc(HEAP);
    if (!heap)
        return;
    const uintptr_t begin = ((uintptr_t)heap + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1), end = ((uintptr_t)heap + HEAP) & ~(LARGE_PAGE - 1);
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
    free(heap);
}
