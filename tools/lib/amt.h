/* The vocabulary of the earlier Python system, 125 ids (TOKENIZER=AMT):
 *   0-3 reserved; pitch 21..108: 4..91; velocity: 92 + min(velocity / 4, 31); a time shift of an eighth of a second: 124.
 * Notes are sorted by their start in seconds; those that start together are in the order in which that system met them: by chunk, then by instrument, that one
 * first of which a note ends first, then by their ends (where those too are together, it took the order of the events, we that of the starts). Each gives as many time shifts as cover the time since the note before it, begun eighths
 * counted whole; then pitch, velocity, and the pitch again, which stands for its end. A pitch out of range gives its velocity alone. At most 1024 ids. */
#ifndef REPRISE_AMT_H
#define REPRISE_AMT_H

#include "message.h"
#include "midi_file.h"
#include "token_list.h"

#define AMT_IDS 125
#define AMT_MOST 1024

/* What is kept from file to file; start with {0}. */
struct amt_notes {
    struct amt_note { double start; int32_t end, track_end; uint32_t track, order; uint16_t chunk; uint8_t pitch, velocity; } *list;
    double *seconds; /* of each tempo */
    size_t capacity, second_capacity;
};

/* Appends the file's ids. 0, or -1 with `why`. */
int amt_encode(struct amt_notes *notes, const struct midi_file *file, struct token_list *out, struct reason *why) __attribute__((warn_unused_result));
void amt_free(struct amt_notes *notes);

#endif
