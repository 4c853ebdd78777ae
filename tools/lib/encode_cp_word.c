/* CPWord: rows of one token of each kind, most of them Ignore. A row is of bars and positions (Family Metric) or of a note. */
#include "encoding.h"

struct cp_word {
    struct encoding *encoding;
    int64_t bar, bar_at_change;
    int32_t change_time, bar_time;
    int32_t bar_ticks, beat, position; /* ticks */
    int32_t signature, tempo;          /* ids in force */
    int32_t time, sounding;
    int32_t empty[VOCABULARY_MOST_COLUMNS];
};

/* Begins a row, of Ignore but for its family. */
static int32_t *add_row(struct cp_word *cp, int32_t time)
{
    struct encoding *encoding = cp->encoding;
    int columns = encoding->tokenizer->vocabulary.column_count;
    if (encoding_room(encoding, (size_t)columns) < 0)
        return NULL;
    int32_t *row = encoding->out->ids + encoding->out->count;
    for (int i = 0; i < columns; i++)
        encoding_put(encoding, cp->empty[i], time);
    return row;
}

static void set(struct cp_word *cp, int32_t *row, enum token_type type, int32_t id)
{
    cp->encoding->lacking |= id;
    row[cp->encoding->tokenizer->vocabulary.of[type].column] = id;
}

static void set_value(struct cp_word *cp, int32_t *row, enum token_type type, int32_t value)
{
    set(cp, row, type, vocabulary_id(&cp->encoding->tokenizer->vocabulary, type, value));
}

static void set_meter(struct cp_word *cp, int32_t bar_ticks, int32_t beat, int32_t signature)
{
    cp->bar_ticks = bar_ticks;
    cp->beat = beat;
    cp->position = beat / cp->encoding->tokenizer->positions;
    cp->signature = signature;
}

static int rest_until(struct cp_word *cp, int32_t time)
{
    const struct beat_table *table = beat_table_of(&cp->encoding->tokenizer->rests, cp->beat);
    if (!table)
        return fail(cp->encoding->why, "the vocabulary has no rests for the file's time signatures");
    if (time - cp->sounding < table->shortest)
        return 0;
    cp->time = cp->sounding;
    while (time - cp->time >= table->shortest) {
        int32_t left = time - cp->time;
        uint16_t rest = table->below[left < table->longest ? left : table->longest];
        int32_t *row = add_row(cp, cp->time);
        if (!row)
            return -1;
        set_value(cp, row, TOKEN_REST, rest);
        cp->time += table->ticks[rest];
    }
    int64_t since = (int64_t)cp->time - cp->change_time;
    int64_t bar = cp->bar_at_change + since / cp->bar_ticks - (since % cp->bar_ticks < 0);
    if (bar > cp->bar) {
        if (cp->bar == -1)
            cp->bar = 0;
        int64_t bar_time = cp->bar_time + (bar - cp->bar) * cp->bar_ticks;
        if (bar_time > GRID_LATEST)
            return fail(cp->encoding->why, "the rests lead too far behind the beginning");
        cp->bar_time = (int32_t)bar_time;
        cp->bar = bar;
    }
    return 0;
}

static int move_to(struct cp_word *cp, const struct score_event *event)
{
    struct encoding *encoding = cp->encoding;
    const struct tokenizer_config *config = &encoding->tokenizer->config;
    int is_change = event->kind == EVENT_TIME_SIG;
    if (config->use_rests && rest_until(cp, event->time) < 0)
        return -1;
    int64_t added = cp->bar_at_change + (event->time - cp->change_time) / cp->bar_ticks - cp->bar;
    for (int64_t i = 0; i < added; i++) {
        int32_t *row = add_row(cp, event->time);
        if (!row)
            return -1;
        set_value(cp, row, TOKEN_BAR, BAR_NONE);
        if (config->use_time_signatures)
            set(cp, row, TOKEN_TIME_SIG, is_change && i + 1 == added ? event->id : cp->signature);
    }
    if (added > 0) {
        cp->bar += added;
        cp->bar_time = (int32_t)(cp->change_time + (cp->bar - cp->bar_at_change) * cp->bar_ticks);
    }
    if (!is_change) {
        int32_t *row = add_row(cp, event->time);
        if (!row)
            return -1;
        int32_t since = event->time - cp->bar_time;
        set_value(cp, row, TOKEN_POSITION, since < 0 ? -1 : since / cp->position);
        if (event->kind == EVENT_CHORD)
            set(cp, row, TOKEN_CHORD, event->id);
        if (config->use_tempos)
            set(cp, row, TOKEN_TEMPO, cp->tempo);
    }
    cp->time = event->time;
    return 0;
}

static int add_note(struct cp_word *cp, const struct score_event *event)
{
    const struct tokenizer *tokenizer = cp->encoding->tokenizer;
    int32_t *row = add_row(cp, event->time);
    if (!row)
        return -1;
    set_value(cp, row, TOKEN_FAMILY, 1);
    set(cp, row, TOKEN_PITCH, event->id);
    if (tokenizer->config.use_velocities)
        set(cp, row, TOKEN_VELOCITY, tokenizer->velocity_ids[event->velocity]);
    if (tokenizer->config.use_note_duration_programs.count > 0)
        set(cp, row, TOKEN_DURATION, event->length == LENGTH_NONE ? -1 : tokenizer->duration_ids[event->length]);
    if (tokenizer->config.use_programs)
        set(cp, row, TOKEN_PROGRAM, tokenizer->program_ids[event->program + 1]);
    cp->sounding = later(cp->sounding, event->end);
    return 0;
}

static int add_event(struct cp_word *cp, const struct score_event *event)
{
    if (event->kind == EVENT_TEMPO)
        cp->tempo = event->id;
    if (event->time != cp->time && move_to(cp, event) < 0)
        return -1;
    if (event->kind == EVENT_NOTE)
        return add_note(cp, event);
    if (event->kind == EVENT_TIME_SIG) {
        const struct grid_time_signature *signature = &cp->encoding->score->time_signatures[event->end];
        cp->bar_at_change += (event->time - cp->change_time) / cp->bar_ticks;
        cp->change_time = event->time;
        set_meter(cp, signature->bar, signature->beat, event->id);
        cp->time--; /* a Position follows */
    }
    cp->sounding = later(cp->sounding, event->time);
    return 0;
}

int encode_cp_word(struct encoding *encoding, const struct score_events *events)
{
    const struct grid_score *score = encoding->score;
    const struct vocabulary *vocabulary = &encoding->tokenizer->vocabulary;
    struct cp_word cp = {.encoding = encoding, .bar = -1, .time = -1};
    int32_t ignore = vocabulary_id(vocabulary, TOKEN_IGNORE, 0);
    for (int i = 0; i < vocabulary->column_count; i++)
        cp.empty[i] = i == 0 ? vocabulary_id(vocabulary, TOKEN_FAMILY, 0) : ignore;
    set_meter(&cp, 4 * score->quarter, score->quarter, -1);
    if (score->time_signature_count > 0)
        set_meter(&cp, score->time_signatures[0].bar, score->time_signatures[0].beat, vocabulary_id(vocabulary, TOKEN_TIME_SIG, score->time_signatures[0].kind));
    if (score->tempo_count > 0)
        cp.tempo = vocabulary_id(vocabulary, TOKEN_TEMPO, score->tempos[0].value);
    if (cp.position == 0)
        return fail(encoding->why, "a position has no ticks");
    for (size_t i = 0; i < events->count; i++)
        if (add_event(&cp, &events->list[i]) < 0)
            return -1;
    return 0;
}
