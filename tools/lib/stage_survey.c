#include "stage_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "text_buffer.h"
#include "work_files.h"

static const char *const list_endings[SHARD_KINDS] = {"midi-reuse", "text-reuse"};

static char *shard_path(const struct stage *stage, struct hash name)
{
    return shard_file(stage->work, stage->kind, stage->signature, name);
}

static int is_finished(void *context, struct hash name)
{
    char *path = shard_path(context, name);
    int finished = path && access(path, F_OK) == 0;
    free(path);
    return finished;
}

static int compare_names(const void *a, const void *b)
{
    return hash_compare(((const struct stage_shard *)a)->name, ((const struct stage_shard *)b)->name);
}

struct listing { const struct stage *stage; struct text_buffer paths; };

static int list_shard(void *context, struct hash name, struct reason *why)
{
    struct listing *listing = context;
    char *path = shard_path(listing->stage, name);
    if (!path)
        return fail(why, "out of memory");
    text_printf(&listing->paths, "%s\n", path);
    free(path);
    return 0;
}

static int write_reuse_list(const struct stage *stage, struct hash missing, struct known_shards *known, struct reason *why)
{
    struct listing listing = {.stage = stage};
    char *path = NULL;
    int result = known_shards_holding(known, stage->kind, missing, list_shard, &listing, why);
    if (result == 0 && listing.paths.count > 0) {
        if (listing.paths.failed || !(path = list_file(stage->work, missing, list_endings[stage->kind])))
            result = fail(why, "out of memory");
        else
            result = atomic_file_put_if_changed(path, listing.paths.bytes, listing.paths.count, why);
    }
    free(path);
    text_free(&listing.paths);
    return result;
}

int stage_survey(const struct stage *stage, struct stage_shard *shards, size_t count, struct known_shards *known, struct survey *survey, struct reason *why)
{
    struct stage own = *stage; /* a context that is not const */
    struct hash last = {0};
    *survey = (struct survey){0};
    qsort(shards, count, sizeof *shards, compare_names);
    for (size_t i = 0; i < count; i++) {
        int repeated = i > 0 && hash_equal(last, shards[i].name);
        last = shards[i].name;
        if (repeated)
            continue;
        survey->shards++;
        survey->items += shards[i].items;
        if (is_finished(&own, shards[i].name))
            survey->finished_items += shards[i].items;
        else
            shards[survey->missing_shards++] = shards[i]; /* gathered at the front */
    }
    if (survey->missing_shards > 0 && known_shards_index(known, stage->kind, is_finished, &own, why) < 0)
        return -1;
    for (size_t i = 0; i < survey->missing_shards; i++)
        if (write_reuse_list(stage, shards[i].name, known, why) < 0)
            return -1;
    return 0;
}
