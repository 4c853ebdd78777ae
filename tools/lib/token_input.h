/* Tokens as they are found in files, for decoding: MidiTok's token file ({"ids": …, "ids_encoded": …, "programs": …}), a bare list of ids, an item of a processed_data.json (or
 * of any list of objects with "midi_tokens"), a record of a checkpoint, an item of a .tok shard. Of the last three the programs of tracks stand in what is recorded of the file.
 *
 * Ids may be nested up to three deep: (T), (T, C) or (I, T), (I, T, C). What a level means depends on the tokenizer: token_input_arrange. Numbers must be whole and
 * fit 32 bits; that they stand for tokens is not checked here. Memory is in proportion to the file, in a dataset to the item. */
#ifndef REPRISE_TOKEN_INPUT_H
#define REPRISE_TOKEN_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "json_stream.h"
#include "message.h"
#include "token_list.h"

#define TOKEN_INPUT_NO_ITEM ((size_t)-1)

struct token_program { int program, is_drum; }; /* program: 0 .. 127, of drums the kit; -1 in a file is drums too */

struct token_input {
    int32_t *ids;       /* all of them, as they stand in the file */
    size_t *inner_ends; /* ends of the innermost lists, in ids; one list where nothing is nested */
    size_t *outer_ends; /* with three levels: ends of the lists of lists, in inner_ends */
    int32_t *filled;    /* the ids where rows were filled up */
    int depth;          /* 1, 2 or 3; 0: there is no id, and no list in the list */
    size_t id_count, inner_count, outer_count;
    signed char *encoded; /* ids_encoded of each sequence, or of all together; none: -1 */
    size_t encoded_count;
    struct token_program *programs;
    size_t program_count;
    size_t id_capacity, inner_capacity, outer_capacity, encoded_capacity, program_capacity;
};

/* `item`: which item, from 0, of a file that holds many; TOKEN_INPUT_NO_ITEM for none. Start with {0}. 0, or -1 with `why`. */
int token_input_read(const char *path, size_t item, struct token_input *file, struct reason *why) __attribute__((warn_unused_result));
/* The same from the text of a token file or a bare list. */
int token_input_read_text(const char *text, size_t count, struct token_input *file, struct reason *why) __attribute__((warn_unused_result));
/* The same from a list of ids alone, as json_scan_value gives it. */
int token_input_read_ids(struct token_input *file, struct json_span list, struct reason *why) __attribute__((warn_unused_result));
void token_input_free(struct token_input *file);

/* A sequence of tokens, `width` ids each. */
struct token_rows { const int32_t *ids; size_t count; int encoded; /* ids_encoded, -1 unknown */ };

/* The sequences of a tokenizer whose tokens are `least` to `width` ids wide (1: single ids; shorter rows are filled up with TOKEN_NONE), one sequence or (`tracks`) one a track. As MidiTok, a single sequence is taken for that of
 * the only track; without any id there are none. *rows: to be freed. 0, or -1 with `why` where the ids are nested in another way. */
int token_input_arrange(struct token_input *file, size_t least, size_t width, int tracks, struct token_rows **rows, size_t *count, struct reason *why)
    __attribute__((warn_unused_result));

#endif
