/* A work file that fails its check is set aside, not consumed and not deleted: Make then sees that it is missing and builds it again. */
#ifndef REPRISE_SET_ASIDE_H
#define REPRISE_SET_ASIDE_H

#include "message.h"

/* Renames `path` to `path.damaged` and adds what was done to `why`. */
void set_aside(const char *path, struct reason *why);

#endif
