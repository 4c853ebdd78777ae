#include "operands.h"

#include <string.h>
#include <sys/stat.h>

#include "message.h"

int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

int check_out(const char *in, const char *out)
{
    struct stat from, to;
    if (strcmp(out, "-") == 0)
        return usage_error("OUT is a file; nothing is written to the terminal");
    if (stat(in, &from) == 0 && stat(out, &to) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
        return usage_error("%s: IN and OUT are the same file", out);
    return 0;
}
