#include "set_aside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void set_aside(const char *path, struct reason *why)
{
    char *aside = NULL;
    int moved = asprintf(&aside, "%s.damaged", path) >= 0 && rename(path, aside) == 0;
    size_t used = strlen(why->text);
    if (moved)
        snprintf(why->text + used, sizeof why->text - used, "; set aside as %s.damaged, the next make builds it again", path);
    else
        snprintf(why->text + used, sizeof why->text - used, "; cannot set it aside: %s", strerror(errno));
    free(aside);
}
