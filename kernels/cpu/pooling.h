/* Token states to one embedding, as sentence-transformers defines it (Reimers & Gurevych 2019, arXiv 1908.10084); sums are kept in double. */
#ifndef REPRISE_POOLING_H
#define REPRISE_POOLING_H

#include <stddef.h>

#include "../../tools/lib/model_folder.h"

/* Pools states [tokens, hidden], each row `stride` floats behind the one before, into embedding [poolings * hidden], normalized if the model says so.
 * sums [hidden] is scratch memory. */
void pool(const struct model_folder *model, const float *states, size_t stride, size_t tokens, double *sums, float *embedding);

#endif
