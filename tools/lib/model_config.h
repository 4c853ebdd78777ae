/* The JSON files of a model folder; a part of model_folder.h. */
#ifndef REPRISE_MODEL_CONFIG_H
#define REPRISE_MODEL_CONFIG_H

#include "model_folder.h"

#define MODEL_PATH 4096

struct model_paths {
    char transformer[MODEL_PATH]; /* folder of config.json, the weights and the vocabulary */
    int is_sentence_model;        /* whether there is a modules.json */
};

/* folder/name; -1 with `why` if that is too long. */
int model_file(const char *folder, const char *name, char path[MODEL_PATH], struct reason *why) __attribute__((warn_unused_result));
int model_has_file(const char *folder, const char *name);

/* modules.json and the pooling's configuration: fills `paths`, pooling and normalize. */
int model_read_modules(const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
/* config.json: the architecture. */
int model_read_config(const struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
/* tokenizer_config.json and sentence_bert_config.json: the tokenizer's settings and the token limit. After model_read_config. */
int model_read_tokenizer(const struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));

#endif
