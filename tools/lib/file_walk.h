/* Every file below a folder, one after the other. What vanishes meanwhile is passed over, as other programs may be at work there; a folder that is not there has no files.
 * What cannot be read is a failure, so that nobody takes a part of the files for all of them. */
#ifndef REPRISE_FILE_WALK_H
#define REPRISE_FILE_WALK_H

#include <fts.h>

#include "message.h"

/* Called for each regular file (fts_info FTS_F), and for each folder before (FTS_D) and after its contents (FTS_DP). 0, or -1 with `why` to end the walk. */
typedef int file_visitor(void *context, const FTSENT *file, struct reason *why);

/* 0, or -1 with `why`. Links are not followed. */
int file_walk(const char *folder, file_visitor *visit, void *context, struct reason *why) __attribute__((warn_unused_result));

#endif
