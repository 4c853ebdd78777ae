/* A text as the earlier Python system fed it to its encoder: the `cleaned_text` of the output.
 *
 * In this order: every run of white space becomes one space, the ends are stripped, every character outside Python's Unicode
 * [\w\s.,!?-] is dropped, the rest is put in lower case. Because stripping comes before dropping, "low & high" gives "low  high" and
 * "low &" gives "low ": existing records read so, and they are matched by this text.
 *
 * \w, \s and str.lower are Python's, for every code point: a word character is a letter, a number of any kind or `_` (combining marks
 * are not, so decomposed accents fall away), white space includes U+001C..U+001F and U+0085, İ becomes i with a combining dot, and Σ
 * at the end of a word becomes ς. Both sides follow their Unicode tables: 15.0 in Debian 12's utf8proc, as in Python 3.12. Python
 * 3.11 has 14.0, so it drops the 4,489 characters that came later; on all others they agree. */
#ifndef REPRISE_CLEAN_TEXT_H
#define REPRISE_CLEAN_TEXT_H

#include <stddef.h>

#include "message.h"
#include "text_buffer.h"

/* Appends the cleaned form of `length` bytes to `out`. 0, or -1 with `why`: not UTF-8 (nothing was appended), or no memory. */
int clean_text(const char *text, size_t length, struct text_buffer *out, struct reason *why) __attribute__((warn_unused_result));

#endif
