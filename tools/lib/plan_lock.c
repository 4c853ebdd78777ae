#include "plan_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

int plan_lock(const char *work, enum plan_lock_kind kind, struct reason *why)
{
    char *folder = NULL;
    if (asprintf(&folder, "%s/plan", work) < 0)
        return fail(why, "out of memory");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the kernel closes it with the process */
    int result = descriptor < 0 ? fail_errno(why, "%s", folder) : 0;
    while (descriptor >= 0 && flock(descriptor, kind == PLAN_LOCK_ALONE ? LOCK_EX : LOCK_SH) < 0 && errno == EINTR)
        ;
    free(folder);
    return result;
}
