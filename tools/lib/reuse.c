#include "reuse.h"

#include <stdlib.h>
#include <string.h>

#include "whole_file.h"

struct place { struct hash key; uint32_t shard, item; };

struct reuse {
    struct shard **shards;
    size_t shard_count, shard_capacity;
    struct place *places; /* by key */
    size_t place_count, place_capacity;
};

static int compare_keys(const void *a, const void *b)
{
    return hash_compare(((const struct place *)a)->key, ((const struct place *)b)->key);
}

static int add_places(struct reuse *reuse, const struct shard *shard)
{
    size_t needed = reuse->place_count + shard_items(shard);
    if (needed > reuse->place_capacity) {
        struct place *places = reallocarray(reuse->places, needed * 2, sizeof *places);
        if (!places)
            return -1;
        reuse->places = places;
        reuse->place_capacity = needed * 2;
    }
    for (size_t i = 0; i < shard_items(shard); i++)
        if (!shard_item_error(shard, i))
            reuse->places[reuse->place_count++] = (struct place){shard_item_key(shard, i), (uint32_t)reuse->shard_count, (uint32_t)i};
    return 0;
}

static int add_shard(struct reuse *reuse, const char *path, const char *format, const char *signature)
{
    struct reason passed_over;
    struct shard *shard = shard_open(path, format, &passed_over);
    if (!shard || strcmp(shard_signature(shard), signature) != 0) {
        message(MESSAGE_DEBUG, path, "not reused: %s", shard ? "made with other settings" : passed_over.text);
        shard_close(shard);
        return 0;
    }
    if (reuse->shard_count == reuse->shard_capacity) {
        size_t capacity = reuse->shard_capacity ? reuse->shard_capacity * 2 : 8;
        struct shard **shards = reallocarray(reuse->shards, capacity, sizeof *shards);
        if (!shards) {
            shard_close(shard);
            return -1;
        }
        reuse->shards = shards;
        reuse->shard_capacity = capacity;
    }
    if (add_places(reuse, shard) < 0) {
        shard_close(shard);
        return -1;
    }
    reuse->shards[reuse->shard_count++] = shard;
    return 0;
}

struct reuse *reuse_open(const char *list, const char *format, const char *signature, struct reason *why)
{
    struct reuse *reuse = calloc(1, sizeof *reuse);
    struct whole_file paths = {0};
    int result = reuse ? 0 : -1;
    if (reuse && list && whole_file_read(list, &paths, NULL) == 0) {
        char *rest = (char *)paths.bytes;
        for (char *path = strsep(&rest, "\n"); result == 0 && path; path = strsep(&rest, "\n"))
            if (*path)
                result = add_shard(reuse, path, format, signature);
    }
    whole_file_free(&paths);
    if (result == 0) {
        if (reuse->place_count > 0)
            qsort(reuse->places, reuse->place_count, sizeof *reuse->places, compare_keys);
        return reuse;
    }
    fail(why, "out of memory");
    reuse_close(reuse);
    return NULL;
}

const struct shard *reuse_find(const struct reuse *reuse, struct hash key, size_t *item)
{
    struct place wanted = {.key = key};
    const struct place *found = reuse->place_count > 0 ? bsearch(&wanted, reuse->places, reuse->place_count, sizeof wanted, compare_keys) : NULL;
    if (!found)
        return NULL;
    *item = found->item;
    return reuse->shards[found->shard];
}

void reuse_close(struct reuse *reuse)
{
    if (!reuse)
        return;
    for (size_t i = 0; i < reuse->shard_count; i++)
        shard_close(reuse->shards[i]);
    free(reuse->shards);
    free(reuse->places);
    free(reuse);
}
