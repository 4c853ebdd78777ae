#include "grid_score.h"

#include <stdlib.h>

#include "grid_parts.h"

int grid_score_make(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    if (grid_make_meter(tokenizer, file, score, why) < 0 || grid_make_notes(tokenizer, file, score, why) < 0)
        return -1;
    return grid_make_globals(tokenizer, file, score, why);
}

void grid_score_free(struct grid_score *score)
{
    free(score->time_signatures);
    free(score->tempos);
    free(score->keys);
    free(score->sections);
    free(score->tracks);
    free(score->notes);
    free(score->pedals);
    free(score->bends);
    free(score->controls);
    free(score->parts);
    free(score->part_of);
    time_order_free(&score->order);
    *score = (struct grid_score){0};
}
