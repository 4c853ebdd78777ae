/* A MidiTok token file (JSON), as its save_tokens writes one: {"ids": …, "ids_encoded": …}, and where there is a list a track, which program plays each. */
#ifndef REPRISE_TOKEN_FILE_H
#define REPRISE_TOKEN_FILE_H

#include "grid_score.h"
#include "text_buffer.h"
#include "tok_shard.h"

/* Appends the file for the only item of `shard`, not yet ended. `score`: whose tracks its sequences are; NULL: it is one sequence. `encoded`: the ids are those of a trained model. */
void add_token_file(struct text_buffer *out, const struct tok_shard *shard, const struct grid_score *score, int encoded);

#endif
