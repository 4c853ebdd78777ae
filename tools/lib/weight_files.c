#include "weight_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_json.h"

#define PARTS 1024 /* most parts */
static const char single[] = "model.safetensors", index_name[] = "model.safetensors.index.json";

static int open_part(struct weight_files *files, const char *folder, const char *name, struct reason *why)
{
    char path[MODEL_PATH];
    struct reason inner;
    if (model_file(folder, name, path, why) < 0)
        return -1;
    struct safetensors **parts = realloc(files->parts, (files->count + 1) * sizeof *parts);
    if (!parts)
        return fail(why, "out of memory");
    files->parts = parts;
    if (!(parts[files->count] = safetensors_open(path, &inner)))
        return is_out_of_memory(&inner) ? fail(why, "%s", inner.text) : fail(why, "%s: %s", name, inner.text);
    files->count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* weight_map: {tensor: file}. */
static int open_parts(struct weight_files *files, const char *folder, const cJSON *index, struct reason *why)
{
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(index, "weight_map"), *entry;
    if (!cJSON_IsObject(map))
        return fail(why, "%s: there is no weight_map", index_name);
    const char **names = calloc((size_t)cJSON_GetArraySize(map) + 1, sizeof *names);
    if (!names)
        return fail(why, "out of memory");
    size_t count = 0;
    int result = 0;
    cJSON_ArrayForEach(entry, map) {
        if (!cJSON_IsString(entry) || !*entry->valuestring || strchr(entry->valuestring, '/') || entry->valuestring[0] == '.') {
            result = fail(why, "%s: the file of %s is not one in the folder", index_name, entry->string);
            break;
        }
        names[count++] = entry->valuestring;
    }
    if (count)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (i && strcmp(names[i - 1], names[i]) == 0)
            continue;
        result = files->count == PARTS ? fail(why, "%s: more than %d files", index_name, PARTS) : open_part(files, folder, names[i], why);
    }
    free(names);
    return result;
}

int weight_files_open(struct weight_files *files, const char *folder, struct reason *why)
{
    if (model_has_file(folder, single) || !model_has_file(folder, index_name)) {
        if (!model_has_file(folder, single) && model_has_file(folder, "pytorch_model.bin"))
            return fail(why, "the weights are in pytorch_model.bin; model.safetensors is what is read");
        return open_part(files, folder, single, why);
    }
    cJSON *index = model_read_json(folder, index_name, cJSON_Object, why);
    if (!index)
        return -1;
    const int result = open_parts(files, folder, index, why);
    cJSON_Delete(index);
    return result;
}

void weight_files_close(struct weight_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        safetensors_close(files->parts[i]);
    free(files->parts);
    *files = (struct weight_files){0};
}

const struct tensor *weight_files_find(const struct weight_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct tensor *tensor = safetensors_find(files->parts[i], name);
        if (tensor)
            return tensor;
    }
    return NULL;
}
