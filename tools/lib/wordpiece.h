/* WordPiece: text to token ids, as BERT's tokenizer defines it (Devlin et al. 2018, arXiv 1810.04805).
 *
 * Promise: the same ids as the `tokenizers` package (BertNormalizer, BertPreTokenizer, WordPiece, a template of [CLS] text [SEP]) for every
 * text that is UTF-8. Its Unicode tables are of several, mostly older versions; unicode_bert.h holds what differs, so the ids do
 * not depend on this system's Unicode version. No allocation per token; reading stops where the token limit is reached, so
 * a text of any length costs no more than its first max_tokens tokens. */
#ifndef REPRISE_WORDPIECE_H
#define REPRISE_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define WORDPIECE_ADDED 64 /* most added tokens */

struct added_token { char text[64]; }; /* found in the raw text, before any normalization */

struct wordpiece_settings {
    int lower_case, strip_accents, split_chinese; /* yes or no */
    struct added_token unknown, first, last;      /* [UNK], [CLS], [SEP] */
    struct added_token added[WORDPIECE_ADDED];    /* these and others ([PAD], [MASK]) */
    size_t added_count;
};

struct wordpiece;

/* `vocabulary`: a token a line, the line's number (from 0) is its id. Ids are below `limit`. The texts need not outlive this call. NULL with `why`. */
struct wordpiece *wordpiece_open(const char *vocabulary, size_t bytes, size_t limit, const struct wordpiece_settings *settings, struct reason *why)
    __attribute__((warn_unused_result));
void wordpiece_close(struct wordpiece *wordpiece); /* NULL is allowed */

/* Writes at most `max_tokens` (2 or more) ids, first and last token included. Returns their number, or -1 with `why` where the text is not UTF-8. */
long wordpiece_encode(struct wordpiece *wordpiece, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
    __attribute__((warn_unused_result));

#endif
