/* The weights of a folder: model.safetensors, or the parts that model.safetensors.index.json lists.
 *
 * Promise: every part is checked as safetensors.h says; a part's name cannot lead out of the folder; a tensor is found in one part only. */
#ifndef REPRISE_WEIGHT_FILES_H
#define REPRISE_WEIGHT_FILES_H

#include "safetensors.h"

struct weight_files { struct safetensors **parts; size_t count; }; /* begin with {0} */

/* Opens the weights in `folder`. 0, or -1 with `why`, which names the file. */
int weight_files_open(struct weight_files *files, const char *folder, struct reason *why) __attribute__((warn_unused_result));
void weight_files_close(struct weight_files *files);

const struct tensor *weight_files_find(const struct weight_files *files, const char *name); /* NULL: there is none */

#endif
