/* For a program that fills megabytes of memory and lives for a fraction of a second: there, a third of the time can go into page faults. */
#ifndef REPRISE_LARGE_HEAP_H
#define REPRISE_LARGE_HEAP_H

/* Lets malloc take all memory from one heap, whose first 64 MB lie in large pages where the system has them (madvise(2), MADV_HUGEPAGE), and keep what is
 * freed. Only what is touched counts, in steps of 2 MB. Advice only: where memory is short or limited nothing changes. Call it early. */
void large_heap(void);

#endif
