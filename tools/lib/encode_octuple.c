/* Octuple: a row a note: Pitch, Position, Bar [, Velocity] [, Duration] [, Program] [, Tempo] [, TimeSig]. Music behind max_bar_embedding bars is cut off. */
#include "encoding.h"
#include "first_bars.h"

int encode_octuple(struct encoding *encoding, const struct score_events *events)
{
    const struct grid_score *score = encoding->score;
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct tokenizer_config *config = &tokenizer->config;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    int32_t end = end_of_first_bars(score, config->max_bar_embedding);
    int32_t bar_ticks = 4 * score->quarter, position_ticks = score->quarter / tokenizer->positions, change_time = 0, time = 0, position = 0;
    int32_t tempo = -1, signature = -1, bar = 0, bar_at_change = 0;
    if (position_ticks == 0 && score->time_signature_count == 0)
        return fail(encoding->why, "a position has no ticks");
    for (size_t i = 0; i < events->count && events->list[i].time < end; i++) {
        const struct score_event *event = &events->list[i];
        if (event->time != time) {
            bar = bar_at_change + (event->time - change_time) / bar_ticks;
            position = (event->time - change_time) % bar_ticks / position_ticks;
            time = event->time;
        }
        if (event->kind == EVENT_TIME_SIG) {
            const struct grid_time_signature *meter = &score->time_signatures[event->end];
            bar_at_change = bar;
            change_time = time;
            bar_ticks = meter->bar;
            position_ticks = meter->beat / tokenizer->positions;
            signature = event->id;
            if (position_ticks == 0)
                return fail(encoding->why, "a position has no ticks");
        } else if (event->kind == EVENT_TEMPO) {
            tempo = event->id;
        } else if (event->kind == EVENT_NOTE) {
            if (encoding_room(encoding, EVENT_IDS) < 0)
                return -1;
            encoding_put(encoding, event->id, time);
            encoding_put(encoding, vocabulary_id(vocabulary, TOKEN_POSITION, position), time);
            encoding_put(encoding, vocabulary_id(vocabulary, TOKEN_BAR, bar), time);
            if (config->use_velocities)
                encoding_put(encoding, tokenizer->velocity_ids[event->velocity], time);
            if (config->use_note_duration_programs.count > 0)
                encoding_put(encoding, event->length == LENGTH_NONE ? -1 : tokenizer->duration_ids[event->length], time);
            if (config->use_programs)
                encoding_put(encoding, tokenizer->program_ids[event->program + 1], time);
            if (config->use_tempos)
                encoding_put(encoding, tempo, time);
            if (config->use_time_signatures)
                encoding_put(encoding, signature, time);
        }
    }
    return 0;
}
