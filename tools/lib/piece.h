/* A piece: the finished items of one shard, as they will stand in the output. The outputs are assembled by joining pieces, so an edit
 * rebuilds one piece and copies the rest.
 *
 * Format: one line of JSON, {"xxh3":"<32 hex>",…}, the hash of the whole file read with these 32 digits as zeros; then the items, joined
 * by ",\n", without a final newline. The line holds: format ("reprise piece 2"), name (its own hash), pairs, items, midi_done, text_done (items of each kind without an
 * error), tokens, notes, seconds (sums over the items), embedding_size, and errors: [{"index" (within the shard),"midi_file","stage","error"}, …]. */
#ifndef REPRISE_PIECE_H
#define REPRISE_PIECE_H

#include <stddef.h>

#include "json_stream.h"
#include "message.h"
#include "whole_file.h"

struct piece_counts {
    size_t pairs, items, midi_done, text_done, embedding_size;
    unsigned long long tokens, notes;
    double seconds;
};

/* Writes a piece by temp + rename. `errors_json` is a complete JSON list. 0, or -1 with `why`. */
int piece_write(const char *path, const struct piece_counts *counts, const char *errors_json, const char *body, size_t body_length, struct reason *why)
    __attribute__((warn_unused_result));

struct piece {
    struct whole_file file; /* start with {0}; reused from piece to piece */
    struct piece_counts counts;
    struct json_span errors; /* the JSON list, inside `file` */
    const char *body;
    size_t body_length;
};

/* Reads and verifies a piece. One that is damaged or in the place of another is set aside (set_aside.h). 0, or -1 with `why`. */
int piece_read(const char *path, struct piece *piece, struct reason *why) __attribute__((warn_unused_result));
/* A line of errors.jsonl from an element of `errors`: the same, but `index` counts from the whole input's start; `first` is where the piece begins there. */
void piece_error_line(struct json_span error, size_t first, struct text_buffer *line);
void piece_free(struct piece *piece);

#endif
