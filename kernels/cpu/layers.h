/* The encoder's layers in f32 on a CPU.
 *
 * All rows of a pack go through a linear layer together, only attention looks at each text alone. So that what a step reads was just
 * written and still lies in the second-level cache, queries, keys and values are made for a few heads at a time, and the widest activations for some of
 * their columns. */
#ifndef REPRISE_LAYERS_H
#define REPRISE_LAYERS_H

#include "layer_parts.h"

struct layers;

/* Packs the weights. NULL with `why`. The model must outlive it. */
struct layers *layers_open(const struct model_folder *model, const struct kernels *kernels, struct reason *why) __attribute__((warn_unused_result));
void layers_close(struct layers *layers); /* NULL is allowed */

/* Runs states [tokens, hidden] of a pack through all layers, in place. 0, or -1 with `why`. */
int layers_run(struct layers *layers, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride, struct reason *why)
    __attribute__((warn_unused_result));

#endif
