/* Counts failures by stage and reason. Numbers in a reason are read as N and names in quotes are left out, so that "track 3 ends at byte 90" and
 * "track 5 ends at byte 12" are one reason, and so are 'text file "a.txt": …' and 'text file "b.txt": …'; the 8 of UTF-8 is no number. Past 200 different reasons the rest is counted as "other reasons", so memory stays bounded. */
#ifndef REPRISE_FAILURE_TALLY_H
#define REPRISE_FAILURE_TALLY_H

#include <stddef.h>

#include "message.h"

enum { TALLY_REASONS = 200 };

struct failure { char *stage, *reason; size_t count; };
struct failure_tally { struct failure failures[TALLY_REASONS + 1]; size_t count; };

/* 0, or -1 with `why` (no memory). */
int failure_tally_add(struct failure_tally *tally, const char *stage, const char *reason, struct reason *why) __attribute__((warn_unused_result));
/* Most frequent first. */
void failure_tally_sort(struct failure_tally *tally);
void failure_tally_free(struct failure_tally *tally);

#endif
