/* Every file below a folder, one after the other. What vanishes meanwhile is passed over, as other programs may be at work there; a folder that is not there has no files.
 * What cannot be read is a failure, so that nobody takes a part of the files for all of them. (fts(3) does not survive a want of memory.) */
#ifndef REPRISE_FILE_WALK_H
#define REPRISE_FILE_WALK_H

#include <sys/stat.h>

#include "message.h"

enum walk_event { WALK_FILE, WALK_FOLDER, WALK_FOLDER_DONE }; /* a regular file; a folder, before and after its contents */

struct walk_entry {
    enum walk_event event;
    const char *path, *name, *parent; /* parent: the name of the folder that it is in; "" for the first folder */
    int level;                        /* 0: the first folder */
    const struct stat *status;
};

/* 0, or -1 with `why` to end the walk. */
typedef int file_visitor(void *context, const struct walk_entry *entry, struct reason *why);

/* 0, or -1 with `why`. Links are not followed. */
int file_walk(const char *folder, file_visitor *visit, void *context, struct reason *why) __attribute__((warn_unused_result));

#endif
