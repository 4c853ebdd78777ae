/* Reading the JSON files of a model folder. Reasons name the file and the member. */
#ifndef REPRISE_MODEL_JSON_H
#define REPRISE_MODEL_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "message.h"

#define MODEL_PATH 4096

/* folder/name; -1 with `why` if that is too long. */
int model_file(const char *folder, const char *name, char path[MODEL_PATH], struct reason *why) __attribute__((warn_unused_result));
int model_has_file(const char *folder, const char *name);

/* Reads folder/name, whose root is of this kind (cJSON_Object, cJSON_Array). NULL with `why`. */
cJSON *model_read_json(const char *folder, const char *name, int kind, struct reason *why) __attribute__((warn_unused_result));
/* The same of text in memory. */
cJSON *model_parse_json(const char *text, size_t bytes, const char *name, int kind, struct reason *why) __attribute__((warn_unused_result));

/* A member, where null counts as absent. */
const cJSON *json_member(const cJSON *object, const char *name);

/* In all of these: what `otherwise` says where the member is absent. 0, or -1 with `why`. */
int json_get_size(const cJSON *object, const char *file, const char *name, size_t otherwise, size_t least, size_t most, size_t *size, struct reason *why)
    __attribute__((warn_unused_result));
int json_get_flag(const cJSON *object, const char *file, const char *name, int otherwise, int *flag, struct reason *why) __attribute__((warn_unused_result));
int json_get_text(const cJSON *object, const char *file, const char *name, const char *otherwise, const char **text, struct reason *why)
    __attribute__((warn_unused_result));
/* The text of a member must be `known`, where it is there at all. */
int json_only_known(const cJSON *object, const char *file, const char *name, const char *known, struct reason *why) __attribute__((warn_unused_result));

#endif
