#include "live_makes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "whole_file.h"

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

static int builds(const char *folder, const char *name)
{
    static const char look[] = "# Written by plan to look";
    char *path = NULL;
    struct whole_file file = {0};
    int result = asprintf(&path, "%s/%s", folder, name) >= 0 && whole_file_read(path, &file, NULL) == 0 &&
                 strncmp((const char *)file.bytes, look, sizeof look - 1) != 0;
    free(path);
    whole_file_free(&file);
    return result;
}

long live_build(const char *work)
{
    char *folder = NULL;
    long found = 0;
    DIR *entries = asprintf(&folder, "%s/plan", work) >= 0 ? opendir(folder) : NULL;
    struct dirent *entry;
    while (entries && !found && (entry = readdir(entries))) {
        long process = process_of(entry->d_name);
        if (process && is_make(process) && builds(folder, entry->d_name))
            found = process;
    }
    if (entries)
        closedir(entries);
    free(folder);
    return found;
}
