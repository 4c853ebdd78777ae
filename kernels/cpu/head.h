/* What stands behind the encoder's layers: token states to one embedding, as sentence-transformers defines it (Reimers & Gurevych 2019, arXiv 1908.10084):
 * pooling, dense layers, normalization, and the cut to the numbers that are wanted. Sums are kept in double. */
#ifndef REPRISE_HEAD_H
#define REPRISE_HEAD_H

#include <stddef.h>

#include "../../tools/lib/model_folder.h"

struct head;

/* NULL with `why`. The model must outlive it. */
struct head *head_open(const struct model_folder *model, struct reason *why) __attribute__((warn_unused_result));
void head_close(struct head *head); /* NULL is allowed */

/* states [tokens, hidden], each row `stride` floats behind the one before, to embedding [model->dimension]. */
void head_embedding(struct head *head, const float *states, size_t stride, size_t tokens, float *embedding);

#endif
