/* The weights of a model folder; a part of model_folder.h. */
#ifndef REPRISE_MODEL_WEIGHTS_H
#define REPRISE_MODEL_WEIGHTS_H

#include "model_config.h"
#include "weight_files.h"

struct layer_store; /* a layer's tensors, and what was converted of them */

struct model_storage {
    struct weight_files encoder, dense[MODEL_DENSE];
    const struct tensor *words;
    float **copies; /* f32 of tensors that are not, or lie unaligned: until the model is closed */
    size_t copy_count, copy_capacity;
    struct layer_store *layers; /* [layers] */
    float *distance_bias;
    char *prompt;
};

/* Opens the weights and fills in every pointer of the model, but for a layer's matrices that must be converted. After the configuration and max_tokens are read. */
int model_read_weights(struct model_folder *model, const struct model_paths *paths, struct reason *why) __attribute__((warn_unused_result));
void model_free_weights(struct model_folder *model);

#endif
