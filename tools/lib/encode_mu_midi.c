/* MuMIDI: rows of a Bar, Position, Program, chord or note, with the bar's and the position's numbers; [Tempo]; and of notes [Velocity] [Duration], which the
 * other rows do not have (TOKEN_NONE). What happens together is in the order of programs, drums first. */
#include "encoding.h"
#include "first_bars.h"

struct mu_midi {
    struct encoding *encoding;
    int32_t bar, position, time, program, tempo;
    size_t next_tempo;
    int columns;
};

/* A row that begins with `id`. Returns where velocity and duration would stand, or NULL. */
static int32_t *add_row(struct mu_midi *mu, int32_t id, int32_t bar, int32_t position, int32_t time)
{
    struct encoding *encoding = mu->encoding;
    const struct vocabulary *vocabulary = &encoding->tokenizer->vocabulary;
    if (encoding_room(encoding, (size_t)mu->columns) < 0)
        return NULL;
    size_t end = encoding->out->count + (size_t)mu->columns;
    encoding_put(encoding, id, time);
    encoding_put(encoding, vocabulary_id(vocabulary, TOKEN_BAR_POS_ENC, bar), time);
    encoding_put(encoding, vocabulary_id(vocabulary, TOKEN_POSITION_POS_ENC, position), time);
    if (encoding->tokenizer->config.use_tempos)
        encoding_put(encoding, mu->tempo, time);
    int32_t *rest = encoding->out->ids + encoding->out->count;
    while (encoding->out->count < end) {
        if (encoding->out->want_times)
            encoding->out->times[encoding->out->count] = time;
        encoding->out->ids[encoding->out->count++] = TOKEN_NONE;
    }
    return rest;
}

static int move_to(struct mu_midi *mu, int32_t time)
{
    const struct grid_score *score = mu->encoding->score;
    const struct vocabulary *vocabulary = &mu->encoding->tokenizer->vocabulary;
    int32_t bar_ticks = 4 * score->quarter;
    mu->position = time % bar_ticks * mu->encoding->tokenizer->positions / score->quarter;
    mu->time = time;
    mu->program = -2; /* none */
    int32_t bar = time / bar_ticks;
    for (; mu->bar < bar; mu->bar++)
        if (!add_row(mu, vocabulary_id(vocabulary, TOKEN_BAR, BAR_NONE), mu->bar + 1, BAR_NONE, time))
            return -1;
    return add_row(mu, vocabulary_id(vocabulary, TOKEN_POSITION, mu->position), mu->bar, mu->position, time) ? 0 : -1;
}

static int add_event(struct mu_midi *mu, const struct score_event *event)
{
    const struct tokenizer *tokenizer = mu->encoding->tokenizer;
    const struct grid_score *score = mu->encoding->score;
    for (; mu->next_tempo < score->tempo_count && score->tempos[mu->next_tempo].time <= event->time; mu->next_tempo++)
        mu->tempo = vocabulary_id(&tokenizer->vocabulary, TOKEN_TEMPO, score->tempos[mu->next_tempo].value);
    if (event->time != mu->time && move_to(mu, event->time) < 0)
        return -1;
    if (event->program != mu->program) {
        mu->program = event->program;
        if (!add_row(mu, tokenizer->program_ids[event->program + 1], mu->bar, mu->position, event->time))
            return -1;
    }
    int32_t *rest = add_row(mu, event->id, mu->bar, mu->position, event->time);
    if (!rest)
        return -1;
    if (event->kind != EVENT_NOTE)
        return 0;
    if (tokenizer->config.use_velocities)
        *rest++ = tokenizer->velocity_ids[event->velocity];
    if (tokenizer->config.use_note_duration_programs.count > 0) {
        *rest = event->length == LENGTH_NONE ? -1 : tokenizer->duration_ids[event->length];
        mu->encoding->lacking |= *rest;
    }
    return 0;
}

int encode_mu_midi(struct encoding *encoding, struct score_events *events)
{
    const struct grid_score *score = encoding->score;
    const struct tokenizer *tokenizer = encoding->tokenizer;
    int32_t end = end_of_first_bars(score, tokenizer->config.max_bar_embedding);
    struct mu_midi mu = {.encoding = encoding, .bar = -1, .time = -1, .columns = tokenizer->vocabulary.column_count, .tempo = -1};
    for (size_t i = 0; i < events->count && events->list[i].time < end; i++)
        if (events->list[i].kind != EVENT_TEMPO && add_event(&mu, &events->list[i]) < 0)
            return -1;
    return 0;
}
