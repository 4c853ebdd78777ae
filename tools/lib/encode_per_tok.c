/* PerTok: Bar, TimeShift (or Position) to the nearest time of beat_res, MicroTiming for what is left. MidiTok counts bars from the beginning by the length of
 * the bar in force, also behind a change of the time signature; so do we. A pedal's length is told as a note's is. (MidiTok looks it up among those of beats of
 * beat_res's steps, in ticks of PerTok: it fails, or finds another.) */
#include "encoding.h"

#include <math.h>

struct per_tok {
    struct encoding *encoding;
    double bar_ticks, bar_time, time; /* time: that the tokens written so far come to */
    int64_t bar;
    int32_t least_shift;
};

/* The index of the duration nearest to `ticks`; of two equally near ones the first in the vocabulary. */
static int32_t nearest_time(const struct tokenizer *tokenizer, double ticks)
{
    const struct tick_time *times = tokenizer->tick_times;
    size_t low = 0, high = tokenizer->tick_time_count; /* the first of at least `ticks` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle].ticks < ticks)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tokenizer->tick_time_count)
        return times[low - 1].index;
    if (low == 0)
        return times[0].index;
    double below = ticks - times[low - 1].ticks, above = times[low].ticks - ticks;
    if (below == above)
        return times[low - 1].index < times[low].index ? times[low - 1].index : times[low].index;
    return below < above ? times[low - 1].index : times[low].index;
}

/* The index of the value nearest to `wanted`, of two equally near ones the lower. `values` ascend. */
static int32_t nearest_value(const int32_t *values, size_t count, double wanted)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || (low > 0 && wanted - values[low - 1] <= values[low] - wanted))
        low--;
    while (low > 0 && values[low - 1] == values[low])
        low--;
    return (int32_t)low;
}

static int begin_bars(struct per_tok *per, int32_t time)
{
    while (time > (double)(per->bar + 1) * per->bar_ticks - per->least_shift) {
        if (encoding_room(per->encoding, 1) < 0)
            return -1;
        per->bar_time += per->bar_ticks;
        encoding_put(per->encoding, vocabulary_id(&per->encoding->tokenizer->vocabulary, TOKEN_BAR, BAR_NONE), (int32_t)per->bar_time);
        per->bar++;
        per->time = (double)per->bar * per->bar_ticks;
    }
    return 0;
}

/* Writes what leads to `time`; returns how far off that is. */
static double approach(struct per_tok *per, int32_t time)
{
    const struct tokenizer *tokenizer = per->encoding->tokenizer;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    double since = time - per->time;
    if (tokenizer->config.use_position_toks) {
        int32_t position = vocabulary->positions[nearest_value(vocabulary->positions, vocabulary->position_count, time - per->bar_time)];
        if (since >= per->least_shift) {
            encoding_put(per->encoding, vocabulary_id(vocabulary, TOKEN_POSITION, position), time);
            per->time = per->bar_time + position;
        }
        return time - per->bar_time - position;
    }
    if (since < per->least_shift)
        return since;
    int32_t shift = nearest_time(tokenizer, since);
    struct beat_time length = vocabulary->durations[shift];
    double ticks = (double)length.beats * length.resolution + length.steps;
    encoding_put(per->encoding, vocabulary_id(vocabulary, TOKEN_TIME_SHIFT, shift), time);
    per->time += ticks;
    return since - ticks;
}

/* A token with a time of its own. */
static void put_timed(struct per_tok *per, int32_t id, int32_t time)
{
    const struct tokenizer *tokenizer = per->encoding->tokenizer;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    double off = approach(per, time);
    encoding_put(per->encoding, id, time);
    if (tokenizer->config.use_microtiming) {
        int32_t timing = nearest_value(vocabulary->microtimings, (size_t)tokenizer->config.num_microtiming_bins + 1, off);
        encoding_put(per->encoding, vocabulary_id(vocabulary, TOKEN_MICRO_TIMING, timing), time);
    }
}

static int add_event(struct per_tok *per, const struct score_event *event)
{
    struct encoding *encoding = per->encoding;
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct tokenizer_config *config = &tokenizer->config;
    if (begin_bars(per, event->time) < 0 || encoding_room(encoding, 2 * EVENT_IDS) < 0)
        return -1;
    if (event->kind == EVENT_TIME_SIG) {
        const struct grid_time_signature *signature = &encoding->score->time_signatures[event->end];
        per->bar_ticks = signature->denominator / 4.0 * signature->numerator * config->ticks_per_quarter;
    }
    if (event->program_changes || (tokenizer->kinds_with_program >> event->kind & 1))
        put_timed(per, tokenizer->program_ids[event->program + 1], event->time);
    struct token token = vocabulary_token(&tokenizer->vocabulary, 0, event->id);
    if (event->kind >= EVENT_PEDAL && token.type != TOKEN_PITCH_INTERVAL_TIME)
        put_timed(per, event->id, event->time);
    else
        encoding_put(encoding, event->id, event->time);
    if (event->kind == EVENT_NOTE && config->use_velocities)
        encoding_put(encoding, tokenizer->velocity_ids[event->velocity], event->time);
    if (event->length != LENGTH_NONE) /* a note's or a pedal's */
        encoding_put(encoding, tokenizer->duration_ids[nearest_time(tokenizer, event->end - event->time)], event->time);
    return 0;
}

int encode_per_tok(struct encoding *encoding, const struct score_events *events)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    struct per_tok per = {.encoding = encoding, .bar_ticks = 4.0 * tokenizer->config.ticks_per_quarter, .least_shift = tokenizer->tick_times[0].ticks / 2};
    for (size_t i = 0; i < events->count; i++)
        if (add_event(&per, &events->list[i]) < 0)
            return -1;
    return 0;
}
