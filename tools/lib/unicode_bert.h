/* Unicode as BERT's tokenizer in the `tokenizers` package knows it (release 0.23): its categories are those of Unicode 8.0, its decompositions and
 * combining classes of Unicode 9.0, its lower case of Unicode 17.0. utf8proc (2.8 has Unicode 15.0) gives the decompositions, classes and lower case;
 * the categories and what differs stand in the tables here. Compared with the package over all of U+0000 to U+10FFFF by tests/parity. */
#ifndef REPRISE_UNICODE_BERT_H
#define REPRISE_UNICODE_BERT_H

#include <stddef.h>
#include <stdint.h>

enum { BERT_UNWANTED = 1, BERT_SPACE = 2, BERT_PUNCTUATION = 4, BERT_CHINESE = 8, BERT_NONSPACING = 16 };
unsigned bert_kind(uint32_t c); /* a sum of these */

#define BERT_PARTS 8
/* Canonical decomposition (NFD) of one code point; the number of its parts. */
size_t bert_decompose(uint32_t c, uint32_t parts[BERT_PARTS]);
unsigned bert_combining_class(uint32_t c);
/* One code point's lower case; U+0130 alone has two, i and U+0307, of which this is the first. */
uint32_t bert_lower_case(uint32_t c);

#endif
