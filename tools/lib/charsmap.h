/* SentencePiece's precompiled character map (the normalizer Precompiled of tokenizer.json): a double array over UTF-8 keys and their replacements.
 *
 * Promise: the same text as the `tokenizers` package, its way with grapheme clusters included: a cluster of fewer than 6 bytes is looked up as a whole, and what is found may be
 * the replacement of its beginning alone. Every unit and every replacement is checked to lie in the map when it is used, so a hostile map cannot lead elsewhere. */
#ifndef REPRISE_CHARSMAP_H
#define REPRISE_CHARSMAP_H

#include "message.h"
#include "text_buffer.h"

struct charsmap;

/* From the text in base64. NULL with `why`. */
struct charsmap *charsmap_open(const char *base64, struct reason *why) __attribute__((warn_unused_result));
void charsmap_close(struct charsmap *map); /* NULL is allowed */

/* Appends the normalized form of these bytes, which must be well-formed UTF-8. */
void charsmap_normalize(const struct charsmap *map, const char *bytes, size_t count, struct text_buffer *into);

#endif
