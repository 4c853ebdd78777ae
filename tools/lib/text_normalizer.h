/* The normalizers of a tokenizer.json, one behind the other: BertNormalizer, Lowercase, Strip, Prepend, Replace (of a string, or of the patterns \s+ and " {2,}"), Precompiled, and
 * Sequence of them. Others are refused by name.
 *
 * Promise: the same text as the `tokenizers` package for every text that is UTF-8, in time n log n at worst (marks in disorder). */
#ifndef REPRISE_TEXT_NORMALIZER_H
#define REPRISE_TEXT_NORMALIZER_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "message.h"

struct bert_rules { int clean, lower_case, strip_accents, split_chinese; }; /* yes or no */

struct text_normalizer;

/* From the `normalizer` of a tokenizer.json (NULL or null: none). `bert`, if not NULL, replaces what a BertNormalizer in it says; `lower_first`: everything to lower case before all else,
 * where nothing in it does so anyway. NULL with `why`. */
struct text_normalizer *text_normalizer_open(const cJSON *spec, const struct bert_rules *bert, int lower_first, struct reason *why) __attribute__((warn_unused_result));
void text_normalizer_close(struct text_normalizer *normalizer); /* NULL is allowed */

/* The normalized form of a text, which must be well-formed UTF-8; it stands until the next call, and TEXT_PADDING bytes behind it may be read. NULL without memory. */
#define TEXT_PADDING 32
const char *text_normalize(struct text_normalizer *normalizer, const char *text, size_t bytes, size_t *count) __attribute__((warn_unused_result));

#endif
