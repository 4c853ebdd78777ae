/* Large pages for a program that fills megabytes of memory and lives for a fraction of a second: by pages of 4 KB an eighth of its processor time can go into
 * page faults.
 *
 * All this is advice (madvise(2), MADV_HUGEPAGE): where a system gives no large pages, or memory is short, nothing changes. Only what is touched counts as
 * used, in steps of 2 MB. Address space is taken at once: not for a program whose address space is limited. */
#ifndef REPRISE_LARGE_PAGES_H
#define REPRISE_LARGE_PAGES_H

#include <stddef.h>

/* Lets malloc take memory from one heap that begins with this many bytes in large pages, and keep what is freed. Call it early. */
void large_heap(size_t bytes);
/* A block of a multiple of 2 MB, for realloc and free, that is to be filled from its beginning, so many bytes of which lie in large pages. NULL: no memory. */
void *large_block(size_t bytes, size_t large);

#endif
