/* The vocabulary of the earlier Python system, 125 ids (TOKENIZER=AMT):
 *   0-3 reserved; pitch 21..108: 4..91; velocity: 92 + min(velocity / 4, 31); a time shift of an eighth of a second: 124.
 * Notes are those of note_endings.h, sorted by their start in seconds, by the tempos of the first chunk; those that start together are in the order in which that system met
 * them: by instrument, then as the events stand that end them. Each gives as many time shifts as cover the time since the note before it, begun eighths
 * counted whole; then pitch, velocity, and the pitch again, which stands for its end. A pitch out of range gives its velocity alone. At most 1024 ids. */
#ifndef REPRISE_AMT_H
#define REPRISE_AMT_H

#include "message.h"
#include "midi_file.h"
#include "note_endings.h"
#include "token_list.h"

#define AMT_IDS 125
#define AMT_MOST 1024

/* What is kept from file to file; start with {0}. */
struct amt_notes {
    struct amt_note { double start; uint32_t instrument, place; uint8_t pitch, velocity; } *list;
    struct amt_stretch { int32_t tick; double seconds, per_tick; } *stretches; /* of one tempo: where it begins */
    size_t capacity, stretch_count, stretch_capacity;
};

/* Appends the ids of a file that was read with its endings. 0, or -1 with `why`. */
int amt_encode(struct amt_notes *notes, const struct midi_file *file, struct token_list *out, struct reason *why) __attribute__((warn_unused_result));
void amt_free(struct amt_notes *notes);

#endif
