#include "text_results.h"

#include <stdlib.h>

#include "half_floats.h"

int text_results_open(const struct shard *emb, struct text_results *results, struct reason *why)
{
    static const struct { const char *name; int kind; enum shard_type type; } known[] = {
        {"embedding", RESULT_EMBEDDING, SHARD_F32}, {"embedding", RESULT_EMBEDDING, SHARD_F16}, {"states", RESULT_STATES, SHARD_F32},
        {"states", RESULT_STATES, SHARD_F16},       {"ids", RESULT_IDS, SHARD_I32},
    };
    uint64_t shape[2];
    *results = (struct text_results){0};
    for (size_t i = 0; i < sizeof known / sizeof *known && !results->values; i++)
        if ((results->values = shard_tensor(emb, known[i].name, known[i].type, shape))) {
            results->kind = known[i].kind;
            results->type = known[i].type;
            results->width = shape[1];
        }
    results->offsets = results->kind == RESULT_EMBEDDING ? NULL : shard_tensor(emb, "offsets", SHARD_I64, shape);
    return results->values && (results->kind == RESULT_EMBEDDING || results->offsets) ? 0 : fail(why, "a tensor is missing");
}

static void add_row(struct text_buffer *out, const struct text_results *results, uint64_t row)
{
    text_add(out, "[", 1);
    for (uint64_t i = row * results->width; i < (row + 1) * results->width; i++) {
        float value;
        if (results->type == SHARD_F16)
            floats_from_f16((const uint16_t *)results->values + i, 1, &value);
        else
            value = ((const float *)results->values)[i];
        if (i > row * results->width)
            text_add(out, ",", 1);
        text_add_float(out, value);
    }
    text_add(out, "]", 1);
}

void add_text_result(struct text_buffer *out, const struct text_results *results, size_t item)
{
    const uint64_t first = results->offsets ? (uint64_t)results->offsets[item] : item, last = results->offsets ? (uint64_t)results->offsets[item + 1] : item + 1;
    if (results->kind == RESULT_EMBEDDING) {
        text_add_string(out, "\"embedding\":");
        add_row(out, results, first);
        return;
    }
    text_add_string(out, results->kind == RESULT_IDS ? "\"input_ids\":[" : "\"hidden_states\":[");
    for (uint64_t row = first; row < last; row++) {
        if (row > first)
            text_add(out, ",", 1);
        if (results->kind == RESULT_IDS)
            text_add_integer(out, ((const int32_t *)results->values)[row]);
        else
            add_row(out, results, row);
    }
    text_add(out, "]", 1);
    if (results->kind != RESULT_IDS)
        return;
    text_add_string(out, ",\"attention_mask\":[");
    for (uint64_t row = first; row < last; row++)
        text_add_string(out, row > first ? ",1" : "1");
    text_add(out, "]", 1);
}
