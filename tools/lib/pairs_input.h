/* INPUT: the pairs file, read as a stream, one pair at a time. Forms (told apart by what is read, not by the file's name):
 *   [{pair}, …]      {"pairs": [{pair}, …], …}      JSON lines: one {pair} after another
 * A pair: {"midi_file" or "midi_path": path, "text_description" or "text": text, or "text_file": path, other fields…}.
 * With a midi_field / text_field of the user's, those names stand for the first two. */
#ifndef REPRISE_PAIRS_INPUT_H
#define REPRISE_PAIRS_INPUT_H

#include <stddef.h>

#include "message.h"

struct pair_fields { const char *midi, *text; }; /* NULL: the usual names */

struct pair {
    size_t index, line; /* from 0; line of INPUT on which it begins, from 1 */
    const char *midi;   /* as given; decoded, zero-terminated */
    size_t midi_length;
    const char *text; /* NULL if it is in text_file */
    size_t text_length;
    const char *text_file; /* as given, or NULL */
    size_t text_file_length;
    const char *carried; /* the other fields: a JSON object in compact text */
    size_t carried_length;
};

typedef int pair_visitor(void *context, const struct pair *pair, struct reason *why);

/* Calls `visit` for each pair in order; stops at its first -1. 0, or -1 with `why`: what is wrong with INPUT, with line and
 * column or the pair's number, without INPUT's name. */
int pairs_read(const char *path, const struct pair_fields *fields, pair_visitor *visit, void *context, struct reason *why)
    __attribute__((warn_unused_result));

#endif
