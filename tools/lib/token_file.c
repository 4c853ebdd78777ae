#include "token_file.h"

static void add_row(struct text_buffer *out, const int32_t *ids, size_t columns)
{
    text_add_string(out, "[");
    for (size_t i = 0; i < columns && ids[i] != TOKEN_NONE; i++) {
        if (i > 0)
            text_add_string(out, ", ");
        text_add_integer(out, ids[i]);
    }
    text_add_string(out, "]");
}

static void add_rows(struct text_buffer *out, const int32_t *ids, size_t rows, size_t columns)
{
    text_add_string(out, "[");
    for (size_t i = 0; i < rows; i++) {
        if (i > 0)
            text_add_string(out, ", ");
        if (columns > 1)
            add_row(out, ids + i * columns, columns);
        else
            text_add_integer(out, ids[i]);
    }
    text_add_string(out, "]");
}

void add_token_file(struct text_buffer *out, const struct tok_shard *shard, const struct grid_score *score, int encoded)
{
    const char *flag = encoded ? "true" : "false";
    size_t columns = shard->columns > 0 ? (size_t)shard->columns : 1;
    text_add_string(out, "{\"ids\": ");
    if (!score) {
        add_rows(out, shard->tokens.ids, shard->tokens.count / columns, columns);
        text_printf(out, ", \"ids_encoded\": %s}", flag);
        return;
    }
    int64_t begin = 0;
    for (size_t i = 0; i < shard->sequences; i++) {
        text_add_string(out, i > 0 ? ", " : "[");
        add_rows(out, shard->tokens.ids + (size_t)begin * columns, (size_t)(shard->sequence_ends[i] - begin), columns);
        begin = shard->sequence_ends[i];
    }
    text_add_string(out, "], \"ids_encoded\": ");
    for (size_t i = 0; i < shard->sequences; i++)
        text_printf(out, "%s%s", i > 0 ? ", " : "[", flag);
    text_add_string(out, "], \"programs\": [");
    for (size_t i = 0; i < score->track_count; i++)
        text_printf(out, "%s[%d, %s]", i > 0 ? ", " : "", score->tracks[i].program, score->tracks[i].is_drum ? "true" : "false");
    text_add_string(out, "]}");
}
