#include "piece_names.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "whole_file.h"

int piece_names_open(struct piece_names *names, const char *folder, const char *list, struct reason *why)
{
    struct stat status;
    *names = (struct piece_names){.folder = folder};
    int descriptor = open_regular(list, &status, why);
    if (descriptor < 0)
        return -1;
    names->list = fdopen(descriptor, "r");
    return names->list ? 0 : fail_errno(why, "cannot be read");
}

int piece_names_next(struct piece_names *names, char **path, struct reason *why)
{
    char line[HASH_HEX + 2];
    struct hash name;
    free(names->path);
    names->path = *path = NULL;
    if (!fgets(line, sizeof line, names->list))
        return ferror(names->list) ? fail_errno(why, "read") : 0;
    names->line++;
    if (strlen(line) != HASH_HEX + 1 || line[HASH_HEX] != '\n' || hash_from_hex(line, &name) < 0)
        return fail(why, "line %zu: not the name of a piece", names->line);
    if (asprintf(&names->path, "%s/%.*s.piece", names->folder, HASH_HEX, line) < 0) {
        names->path = NULL;
        return fail(why, "out of memory");
    }
    *path = names->path;
    return 1;
}

void piece_names_close(struct piece_names *names)
{
    if (names->list)
        fclose(names->list);
    free(names->path);
    *names = (struct piece_names){0};
}
