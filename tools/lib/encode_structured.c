/* Structured: TimeShift [Program] Pitch [Velocity] [Duration], note after note. */
#include "encoding.h"

int encode_structured(struct encoding *encoding, const struct score_events *events)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct beat_table *table = beat_table_of(&tokenizer->durations, encoding->score->quarter);
    int32_t time = 0;
    if (!table)
        return fail(encoding->why, "the vocabulary has no time shifts for a quarter note");
    if (encoding_room(encoding, 5 * events->count) < 0)
        return -1;
    for (size_t i = 0; i < events->count; i++) {
        const struct score_event *event = &events->list[i];
        int32_t shift = event->time == time ? SHIFT_NONE : beat_nearest(table, event->time - time);
        encoding_put(encoding, vocabulary_id(&tokenizer->vocabulary, TOKEN_TIME_SHIFT, shift), event->time);
        encoding_put_event(encoding, event);
        time = event->time;
    }
    return 0;
}
