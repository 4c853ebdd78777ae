/* The configuration files of a model folder; a part of model_folder.h. */
#ifndef REPRISE_MODEL_CONFIG_H
#define REPRISE_MODEL_CONFIG_H

#include "model_folder.h"
#include "model_json.h"
#include "text_tokenizer.h"

struct model_paths {
    char folder[MODEL_PATH];
    char transformer[MODEL_PATH];        /* folder of config.json, the weights and the tokenizer */
    char dense[MODEL_DENSE][MODEL_PATH]; /* folders of the dense layers */
    int is_sentence_model;               /* whether there is a modules.json */
    int skips_prompt;                    /* whether pooling leaves the prompt out */
};

/* modules.json and the pooling's configuration: fills `paths`, pooling and normalize. Dense layers are read later (model_read_dense), when the widths are known. */
int model_read_modules(const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
/* Whether this model_type is one whose architecture is known. */
int model_type_is_known(const char *type);
/* config.json: the architecture. */
int model_read_config(const struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
/* The dense layers' config.json; after model_read_config. */
int model_read_dense(const struct model_paths *paths, struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
/* tokenizer_config.json and sentence_bert_config.json: the tokenizer's settings, and the token limit (0: none is said). */
int model_read_tokenizer(const struct model_paths *paths, struct tokenizer_settings *settings, double *limit, struct reason *why) __attribute__((warn_unused_result));
/* config_sentence_transformers.json: the prompt of this name, or `wanted` itself where there is no such name; wanted NULL: the folder's default. "" for none;
 * to be freed. NULL with `why`. */
char *model_read_prompt(const struct model_paths *paths, const char *wanted, struct reason *why) __attribute__((warn_unused_result));

#endif
