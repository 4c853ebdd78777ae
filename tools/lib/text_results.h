/* What a finished .emb shard holds of each text, whichever of the three it is (shard.h): an embedding, the states of its tokens, or its token ids. */
#ifndef REPRISE_TEXT_RESULTS_H
#define REPRISE_TEXT_RESULTS_H

#include "message.h"
#include "shard.h"
#include "text_buffer.h"

struct text_results {
    enum { RESULT_EMBEDDING, RESULT_STATES, RESULT_IDS } kind;
    const void *values;     /* [rows, width] */
    enum shard_type type;
    uint64_t width;
    const int64_t *offsets; /* [items + 1]; NULL: one row an item */
};

/* 0, or -1 with `why`: a tensor is missing. */
int text_results_open(const struct shard *emb, struct text_results *results, struct reason *why) __attribute__((warn_unused_result));
/* An item's members of text_features: "embedding":[…], or "hidden_states":[[…],…], or "input_ids":[…],"attention_mask":[1,…]. */
void add_text_result(struct text_buffer *out, const struct text_results *results, size_t item);

#endif
