#include "work_files.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

const char *shard_ending(enum shard_kind kind)
{
    return kind == SHARD_OF_MIDI ? "tok" : "emb";
}

const char *shard_format(enum shard_kind kind)
{
    return kind == SHARD_OF_MIDI ? "reprise tok 1" : "reprise emb 1";
}

char *shard_file(const char *folder, enum shard_kind kind, const char *signature, struct hash name)
{
    char hex[HASH_HEX + 1], *path = NULL;
    const char *ending = shard_ending(kind);
    hash_to_hex(name, hex);
    return asprintf(&path, "%s/%s/%s/%s.%s", folder, ending, signature, hex, ending) < 0 ? NULL : path;
}

char *piece_file(const char *work, struct hash name)
{
    char hex[HASH_HEX + 1], *path = NULL;
    hash_to_hex(name, hex);
    return asprintf(&path, "%s/pieces/%s.piece", work, hex) < 0 ? NULL : path;
}

char *list_file(const char *work, struct hash name, const char *ending)
{
    char hex[HASH_HEX + 1], *path = NULL;
    hash_to_hex(name, hex);
    return asprintf(&path, "%s/plan/%s.%s", work, hex, ending) < 0 ? NULL : path;
}

int is_there(const char *path, struct reason *why)
{
    if (!path)
        return fail(why, "out of memory");
    if (access(path, F_OK) == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(why, "%s", path);
}
