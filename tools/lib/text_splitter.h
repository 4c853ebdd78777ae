/* The pre-tokenizers of a tokenizer.json, which split normalized text into the pieces that become tokens each alone: BertPreTokenizer, WhitespaceSplit, Metaspace, ByteLevel, and Sequence of
 * them. Others are refused by name.
 *
 * Promise: the same pieces as the `tokenizers` package for every text that is UTF-8. */
#ifndef REPRISE_TEXT_SPLITTER_H
#define REPRISE_TEXT_SPLITTER_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "message.h"
#include "text_buffer.h"

struct piece { size_t begin, count; }; /* bytes of the text; never none */

/* TEXT_PADDING bytes behind the text may be read. All of it stands until the next split. */
struct pieces { const char *text; struct piece *list; size_t count; };

struct text_splitter;

/* From the `pre_tokenizer` of a tokenizer.json (NULL or null: none). NULL with `why`. */
struct text_splitter *text_splitter_open(const cJSON *spec, struct reason *why) __attribute__((warn_unused_result));
void text_splitter_close(struct text_splitter *splitter); /* NULL is allowed */

/* Splits a text with padding behind it. `at_start`: whether it is the beginning of the original text, not what stands behind an added token. NULL without memory. */
const struct pieces *text_split(struct text_splitter *splitter, const char *text, size_t bytes, int at_start) __attribute__((warn_unused_result));

#endif
