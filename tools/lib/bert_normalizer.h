/* BERT's normalization of text (the BertNormalizer of the `tokenizers` package): control characters dropped, blanks to spaces, spaces around CJK ideographs, accents stripped, lower case.
 * ASCII is copied through a table. */
#ifndef REPRISE_BERT_NORMALIZER_H
#define REPRISE_BERT_NORMALIZER_H

#include "text_buffer.h"
#include "text_normalizer.h"

struct bert_normalizer;

/* NULL without memory. */
struct bert_normalizer *bert_normalizer_open(struct bert_rules rules);
void bert_normalizer_close(struct bert_normalizer *normalizer); /* NULL is allowed */

/* Appends the normalized form of a text, which must be well-formed UTF-8. */
void bert_normalize(struct bert_normalizer *normalizer, const char *text, size_t bytes, struct text_buffer *into);

#endif
