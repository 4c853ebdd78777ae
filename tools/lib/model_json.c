#include "model_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"
#include "whole_file.h"

int model_file(const char *folder, const char *name, char path[MODEL_PATH], struct reason *why)
{
    int length = snprintf(path, MODEL_PATH, "%s/%s", folder, name);
    return length < 0 || length >= MODEL_PATH ? fail(why, "%s: the path is too long", name) : 0;
}

int model_has_file(const char *folder, const char *name)
{
    char path[MODEL_PATH];
    if (model_file(folder, name, path, NULL) < 0)
        return 0;
    /* Only what is surely absent counts as absent: for any other reason, reading it will say what is wrong. Else a passing fault would change the model. */
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

cJSON *model_parse_json(const char *text, size_t bytes, const char *name, int kind, struct reason *why)
{
    const char *end = NULL;
    const size_t fault = utf8_first_fault(text, bytes); /* the parser lets everything pass, and what strings go through later relies on it */
    if (fault < bytes) {
        fail(why, "%s: not UTF-8 at byte %zu", name, fault);
        return NULL;
    }
    errno = 0;
    cJSON *root = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (!root && errno == ENOMEM) { /* the parser does not tell it from a fault in the text */
        fail(why, "%s: out of memory", name);
        return NULL;
    }
    size_t at = end ? (size_t)(end - text) : 0;
    while (root && at < bytes && text[at] && strchr(" \t\r\n", text[at]))
        at++;
    if (root && at == bytes && (root->type & 0xff) == kind)
        return root;
    if (!root || at < bytes)
        fail(why, "%s: not JSON at byte %zu", name, at);
    else
        fail(why, "%s: not a JSON %s", name, kind == cJSON_Array ? "list" : "object");
    cJSON_Delete(root);
    return NULL;
}

cJSON *model_read_json(const char *folder, const char *name, int kind, struct reason *why)
{
    char path[MODEL_PATH];
    struct whole_file file = {0};
    struct reason inner;
    cJSON *root = NULL;
    if (model_file(folder, name, path, why) < 0)
        return NULL;
    if (whole_file_read(path, &file, &inner) < 0)
        fail(why, "%s: %s", name, inner.text);
    else
        root = model_parse_json((const char *)file.bytes, file.count, name, kind, why);
    whole_file_free(&file);
    return root;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(value) ? NULL : value;
}

int json_get_size(const cJSON *object, const char *file, const char *name, size_t otherwise, size_t least, size_t most, size_t *size, struct reason *why)
{
    const cJSON *value = json_member(object, name);
    *size = otherwise;
    if (!value)
        return 0;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= (double)least && value->valuedouble <= (double)most) || floor(value->valuedouble) != value->valuedouble)
        return fail(why, "%s: %s is not a whole number from %zu to %zu", file, name, least, most);
    *size = (size_t)value->valuedouble;
    return 0;
}

int json_get_flag(const cJSON *object, const char *file, const char *name, int otherwise, int *flag, struct reason *why)
{
    const cJSON *value = json_member(object, name);
    *flag = value ? cJSON_IsTrue(value) : otherwise;
    return value && !cJSON_IsBool(value) ? fail(why, "%s: %s is not true or false", file, name) : 0;
}

int json_get_text(const cJSON *object, const char *file, const char *name, const char *otherwise, const char **text, struct reason *why)
{
    const cJSON *value = json_member(object, name);
    *text = value ? cJSON_GetStringValue(value) : otherwise;
    return value && !*text ? fail(why, "%s: %s is not a string", file, name) : 0;
}

int json_only_known(const cJSON *object, const char *file, const char *name, const char *known, struct reason *why)
{
    const cJSON *value = json_member(object, name);
    if (!value || (cJSON_IsString(value) && strcmp(value->valuestring, known) == 0))
        return 0;
    return fail(why, "%s: %s %s is not known; %s is", file, name, cJSON_IsString(value) ? value->valuestring : "(not a string)", known);
}
