/* A file of texts, one a line, to a NumPy file (.npy: float32 or float16, [lines, dimension], or [tokens of all lines, hidden]) or, where only ids are wanted, to
 * a JSON list of token ids a line. A line that cannot be embedded is an error that names it: there is no place for a reason here. */
#ifndef REPRISE_TEXT_LINES_H
#define REPRISE_TEXT_LINES_H

#include "embedder.h"

/* 0, or -1 with `why`, and then `out` is as it was. */
int text_lines_embed(struct embedder *embedder, const char *in, const char *out, struct reason *why) __attribute__((warn_unused_result));

#endif
