#include "file_walk.h"

#include <errno.h>
#include <string.h>

static int visit_entry(const FTSENT *entry, file_visitor *visit, void *context, struct reason *why)
{
    switch (entry->fts_info) {
    case FTS_F: case FTS_D: case FTS_DP:
        return visit(context, entry, why);
    case FTS_DNR: case FTS_ERR: case FTS_NS:
        return entry->fts_errno == ENOENT ? 0 : fail(why, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
    default:
        return 0;
    }
}

int file_walk(const char *folder, file_visitor *visit, void *context, struct reason *why)
{
    char *roots[] = {(char *)folder, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return fail_errno(why, "%s", folder);
    int result = 0;
    FTSENT *entry = NULL;
    for (errno = 0; result == 0 && (entry = fts_read(walk)); errno = 0)
        result = visit_entry(entry, visit, context, why);
    if (!entry && errno != 0)
        result = fail_errno(why, "%s", folder);
    fts_close(walk);
    return result;
}
