/* REMI: Bar (and TimeSig) at every bar, Position wherever time moves and after each TimeSig of a change. */
#include "encoding.h"

struct remi {
    struct encoding *encoding;
    int64_t bar, bar_at_change; /* counted from 0; the bar at which the signature came into force */
    int32_t change_time, bar_time;
    int64_t bar_end;            /* until then no other bar begins; unknown: before bar_time */
    int32_t bar_ticks, beat, position; /* ticks */
    int32_t signature;          /* id of the TimeSig in force */
    int32_t time;               /* of what was written last; one less behind a TimeSig, so that a Position follows */
    int32_t sounding;           /* until when */
    int32_t bar_id, bar_end_id; /* -1: bars are numbered; they do not end */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return quotient - (a % b < 0);
}

#define UNKNOWN INT64_MIN

static void set_meter(struct remi *remi, int32_t bar_ticks, int32_t beat, int32_t signature)
{
    remi->bar_ticks = bar_ticks;
    remi->beat = beat;
    remi->position = beat / remi->encoding->tokenizer->positions;
    remi->signature = signature;
    remi->bar_end = UNKNOWN;
}

/* Notes how long the bar at hand lasts, where the bars since the change lie side by side. */
static void measure_bar(struct remi *remi)
{
    if (remi->bar >= 0 && remi->bar_time == remi->change_time + (remi->bar - remi->bar_at_change) * remi->bar_ticks)
        remi->bar_end = (int64_t)remi->bar_time + remi->bar_ticks;
}

/* Begins all bars up to the one of `time`. Before a change of the time signature the last one begins with Bar alone. */
static int begin_bars(struct remi *remi, int32_t time, int is_change)
{
    struct encoding *encoding = remi->encoding;
    int64_t added = remi->bar_at_change + floor_div((int64_t)time - remi->change_time, remi->bar_ticks) - remi->bar;
    if (added > 0 && encoding_room(encoding, 3 * (size_t)added) < 0)
        return -1;
    for (int64_t i = 0; i < added; i++) {
        remi->bar++;
        remi->bar_time = (int32_t)(remi->change_time + (remi->bar - remi->bar_at_change) * remi->bar_ticks);
        if (remi->bar_end_id >= 0 && remi->bar > 0)
            encoding_put(encoding, remi->bar_end_id, remi->bar_time - 1);
        /* Numbered bars have MidiTok's numbers, which leap where several begin at once. */
        int32_t id = remi->bar_id >= 0 ? remi->bar_id : vocabulary_id(&encoding->tokenizer->vocabulary, TOKEN_BAR, (int32_t)(remi->bar + i));
        encoding_put(encoding, id, remi->bar_time);
        if (encoding->tokenizer->config.use_time_signatures && !(is_change && i + 1 == added))
            encoding_put(encoding, remi->signature, remi->bar_time);
    }
    measure_bar(remi);
    return 0;
}

/* Rests take the time forward, past beginnings of bars too. */
static int rest_until(struct remi *remi, int32_t time)
{
    struct encoding *encoding = remi->encoding;
    const struct beat_table *table = beat_table_of(&encoding->tokenizer->rests, remi->beat);
    if (!table)
        return fail(encoding->why, "the vocabulary has no rests for the file's time signatures");
    if (time - remi->sounding < table->shortest)
        return 0;
    remi->time = later(remi->sounding, remi->time);
    while (time - remi->time >= table->shortest) {
        int32_t left = time - remi->time;
        uint16_t rest = table->below[left < table->longest ? left : table->longest];
        if (encoding_room(encoding, 1) < 0)
            return -1;
        encoding_put(encoding, vocabulary_id(&encoding->tokenizer->vocabulary, TOKEN_REST, rest), remi->time);
        remi->time += table->ticks[rest];
    }
    int64_t bar = remi->bar_at_change + floor_div((int64_t)remi->time - remi->change_time, remi->bar_ticks);
    if (bar > remi->bar) {
        if (remi->bar == -1)
            remi->bar = 0;
        int64_t bar_time = remi->bar_time + (bar - remi->bar) * remi->bar_ticks;
        if (bar_time > GRID_LATEST)
            return fail(encoding->why, "the rests lead too far behind the beginning");
        remi->bar_time = (int32_t)bar_time;
        remi->bar = bar;
        remi->bar_end = UNKNOWN;
    }
    return 0;
}

/* Behind the latest bar's beginning; where a position has one tick, and mostly it has, without a division. */
static int32_t position_at(const struct remi *remi, int32_t time)
{
    int64_t since = (int64_t)time - remi->bar_time, position = remi->position == 1 ? since : floor_div(since, remi->position);
    return position >= 0 && position <= INT32_MAX ? (int32_t)position : -1;
}

/* Makes room for the event too. */
static int move_to(struct remi *remi, const struct score_event *event, int is_change)
{
    struct encoding *encoding = remi->encoding;
    if (encoding->tokenizer->config.use_rests && rest_until(remi, event->time) < 0)
        return -1;
    if ((event->time < remi->bar_time || event->time >= remi->bar_end) && begin_bars(remi, event->time, is_change) < 0)
        return -1;
    if (encoding_room(encoding, EVENT_IDS) < 0)
        return -1;
    if (!is_change)
        encoding_put(encoding, vocabulary_id(&encoding->tokenizer->vocabulary, TOKEN_POSITION, position_at(remi, event->time)), event->time);
    remi->time = event->time;
    return 0;
}

static int change_signature(struct remi *remi, const struct score_event *event)
{
    const struct grid_time_signature *signature = &remi->encoding->score->time_signatures[event->end];
    remi->bar_at_change += floor_div((int64_t)event->time - remi->change_time, remi->bar_ticks);
    remi->change_time = event->time;
    set_meter(remi, signature->bar, signature->beat, event->id);
    remi->time--;
    return 0;
}

static int add_event(struct remi *remi, const struct score_event *event)
{
    struct encoding *encoding = remi->encoding;
    int is_change = event->kind == EVENT_TIME_SIG;
    if (event->time != remi->time ? move_to(remi, event, is_change) < 0 : encoding_room(encoding, EVENT_IDS) < 0)
        return -1;
    if (event->program_changes)
        encoding_put(encoding, encoding->tokenizer->program_ids[event->program + 1], event->time);
    if (is_change)
        change_signature(remi, event);
    encoding_put_event(encoding, event);
    if (event->kind == EVENT_NOTE)
        remi->sounding = later(remi->sounding, event->end);
    if (event->kind != EVENT_NOTE_OFF)
        remi->sounding = later(remi->sounding, event->time);
    return 0;
}

int encode_remi(struct encoding *encoding, const struct score_events *events)
{
    const struct grid_score *score = encoding->score;
    const struct vocabulary *vocabulary = &encoding->tokenizer->vocabulary;
    const struct tokenizer_config *config = &encoding->tokenizer->config;
    struct remi remi = {.encoding = encoding, .bar = -1, .time = -1, .bar_id = vocabulary_id(vocabulary, TOKEN_BAR, BAR_NONE), .bar_end_id = -1};
    if (config->use_bar_end_tokens)
        remi.bar_end_id = vocabulary_id(vocabulary, TOKEN_BAR, BAR_END);
    set_meter(&remi, 4 * score->quarter, score->quarter, -1);
    if (score->time_signature_count > 0)
        set_meter(&remi, score->time_signatures[0].bar, score->time_signatures[0].beat, vocabulary_id(vocabulary, TOKEN_TIME_SIG, score->time_signatures[0].kind));
    if (remi.position == 0)
        return fail(encoding->why, "a position has no ticks");
    for (size_t i = 0; i < events->count; i++)
        if (add_event(&remi, &events->list[i]) < 0)
            return -1;
    if (config->add_trailing_bars && events->count > 0 && remi.sounding > remi.time)
        return begin_bars(&remi, remi.sounding, events->list[events->count - 1].kind == EVENT_TIME_SIG);
    return 0;
}
