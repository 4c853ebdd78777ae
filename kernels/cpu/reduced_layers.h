/* The encoder's layers in reduced precision: what layers.c does in f32, with the weights and buffers of struct reduced.
 *
 * Each process packs its weights anew. A file of packed weights that processes share was considered and left: packing all-MiniLM-L6-v2 takes 0.02 s of
 * processor time and 11 MB (int8) or 22 MB (bf16), and such a file would have to be hashed to be trusted. The model's own file is mapped, and shared. */
#ifndef REPRISE_REDUCED_LAYERS_H
#define REPRISE_REDUCED_LAYERS_H

#include "layer_parts.h"
#include "reduced.h"

struct model_folder;
struct reduced_layers;

/* Packs the weights. `exact`: for what stays in f32. NULL with `why`. The model must outlive it. */
struct reduced_layers *reduced_layers_open(const struct model_folder *model, const struct reduced *kernels, const struct kernels *exact, struct reason *why)
    __attribute__((warn_unused_result));
void reduced_layers_close(struct reduced_layers *layers); /* NULL is allowed */

/* As layers_run. */
int reduced_layers_run(struct reduced_layers *layers, const struct pack *pack, enum rows_wanted wanted, float *states, size_t stride, struct reason *why)
    __attribute__((warn_unused_result));

#endif
