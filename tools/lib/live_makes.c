#include "live_makes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The process in "plan-<process>.mk", 0 for any other name. */
static long process_of(const char *name)
{
    long process;
    int end = 0;
    return sscanf(name, "plan-%ld.mk%n", &process, &end) == 1 && end > 0 && !name[end] && process > 0 && process <= 1 << 30 ? process : 0;
}

/* Another program may have got the number of a make that is gone. Where that cannot be seen, it counts as a make. */
static int is_make(long process)
{
    char path[64], name[32] = "";
    if (kill((pid_t)process, 0) < 0 && errno == ESRCH)
        return 0;
    snprintf(path, sizeof path, "/proc/%ld/comm", process);
    FILE *file = fopen(path, "re");
    int told = file && fgets(name, sizeof name, file);
    if (file)
        fclose(file);
    return !told || strstr(name, "make") != NULL;
}

int is_dead_makefile(const char *name)
{
    long process = process_of(name);
    return process && !is_make(process);
}
