/* An item of a finished shard as JSON: its tokens, its embedding, and what is known of its MIDI file, as they stand in the outputs and in
 * checkpoints. Floats are written with the fewest digits that read back to the same float, so nothing is lost on the way. */
#ifndef REPRISE_ITEM_JSON_H
#define REPRISE_ITEM_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "json_stream.h"
#include "message.h"
#include "shard.h"
#include "text_buffer.h"

/* A .tok shard's tensors. */
struct item_tokens {
    const int32_t *ids;                        /* [total, vocabularies] */
    const int64_t *offsets;                    /* [n + 1] */
    const int64_t *sequences, *item_sequences; /* NULL, or [s + 1] and [n + 1]: one list a track */
    uint64_t vocabularies;
};

/* 0, or -1 with `why`: a tensor is missing. */
int item_tokens_open(const struct shard *tok, struct item_tokens *tokens, struct reason *why) __attribute__((warn_unused_result));
size_t item_tokens_count(const struct item_tokens *tokens, size_t item);
/* A list of ids; of lists where there are several vocabularies or tracks. */
void add_item_tokens(struct text_buffer *out, const struct item_tokens *tokens, size_t item);

/* row [dimension] */
void add_embedding(struct text_buffer *out, const float *row, uint64_t dimension);

/* {"file_path":…,"file_name":…, and what midi2tok recorded of the item}. midi_file: the path as INPUT gives it. */
void add_midi_metadata(struct text_buffer *out, const struct shard *tok, size_t item, struct json_span midi_file);

#endif
