#include "tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score_events.h"
#include "vocabulary_values.h"

/* The index of the value nearest to `wanted`; halfway, the higher one. */
static void fill_velocities(struct tokenizer *tokenizer)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    for (int velocity = 0; velocity < 128; velocity++) {
        int i = 0;
        while (i + 1 < vocabulary->velocity_count && vocabulary->velocities[i + 1] - velocity <= velocity - vocabulary->velocities[i])
            i++;
        tokenizer->nearest_velocity[velocity] = (uint8_t)(vocabulary->velocity_count > 0 ? i : velocity);
    }
}

static void fill_controls(struct tokenizer *tokenizer)
{
    for (int number = 0; number < 128; number++) {
        uint8_t values[128];
        int count = control_values(&tokenizer->config, number, values), i = 0;
        int as_they_are = count == 128 || !tokenizer->config.control_change_numbers[number];
        for (int value = 0; value < 128; value++) {
            while (i + 1 < count && values[i + 1] - value <= value - values[i])
                i++;
            tokenizer->nearest_control[number][value] = as_they_are ? (uint8_t)value : values[i];
        }
    }
}

static int fill_kinds(struct tokenizer *tokenizer, struct reason *why)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    for (size_t i = 0; i < vocabulary->time_signature_count; i++) {
        struct config_time_signature signature = vocabulary->time_signatures[i];
        int power = 0;
        while (1 << power < signature.denominator)
            power++;
        uint8_t *kind = &tokenizer->kinds[signature.numerator][power];
        if (*kind == 0 && i >= 255)
            return fail(why, "time_signature_range: more than 255 time signatures");
        if (*kind == 0)
            *kind = (uint8_t)(i + 1);
    }
    return 0;
}

static int by_ticks(const void *a, const void *b)
{
    const struct tick_time *x = a, *y = b;
    return x->ticks != y->ticks ? (x->ticks > y->ticks) - (x->ticks < y->ticks) : x->index - y->index;
}

static int fill_tick_times(struct tokenizer *tokenizer, struct reason *why)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    tokenizer->tick_times = malloc(vocabulary->duration_count * sizeof *tokenizer->tick_times);
    if (!tokenizer->tick_times)
        return fail(why, "out of memory");
    for (size_t i = 0; i < vocabulary->duration_count; i++) {
        struct beat_time time = vocabulary->durations[i];
        tokenizer->tick_times[i] = (struct tick_time){time.beats * time.resolution + time.steps, (int32_t)i};
    }
    qsort(tokenizer->tick_times, vocabulary->duration_count, sizeof *tokenizer->tick_times, by_ticks);
    for (size_t i = 0; i < vocabulary->duration_count; i++)
        if (i == 0 || tokenizer->tick_times[i].ticks != tokenizer->tick_times[tokenizer->tick_time_count - 1].ticks)
            tokenizer->tick_times[tokenizer->tick_time_count++] = tokenizer->tick_times[i];
    return 0;
}

int tokenizer_make(struct tokenizer *tokenizer, struct reason *why)
{
    struct tokenizer_config *config = &tokenizer->config;
    struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (tokenizer_config_settle(config, why) < 0)
        return -1;
    tokenizer->positions = config_positions_per_beat(config);
    tokenizer->note_on_off = config_note_on_off(config);
    if (config->tokenization == AMT)
        return 0;
    if (vocabulary_make(vocabulary, config, why) < 0)
        return -1;
    for (int program = -1; program < 128; program++)
        tokenizer->program_ids[program + 1] = vocabulary_id(vocabulary, TOKEN_PROGRAM, program);
    tokenizer->velocity_ids = vocabulary->of[TOKEN_VELOCITY].ids;
    tokenizer->duration_ids = vocabulary->of[TOKEN_DURATION].ids;
    if (config->use_programs && !config->program_changes)
        tokenizer->kinds_with_program = 1u << EVENT_BEND | 1u << EVENT_CONTROL | 1u << EVENT_CHORD | 1u << EVENT_NOTE | 1u << EVENT_NOTE_OFF;
    fill_velocities(tokenizer);
    if (config->use_control_changes)
        fill_controls(tokenizer);
    if (fill_kinds(tokenizer, why) < 0)
        return -1;
    if (config->tokenization == PER_TOK)
        return fill_tick_times(tokenizer, why);
    if (beat_tables_make(&tokenizer->durations, vocabulary, vocabulary->durations, vocabulary->duration_count, why) < 0 ||
        beat_tables_make(&tokenizer->rests, vocabulary, vocabulary->rests, vocabulary->rest_count, why) < 0)
        return -1;
    return 0;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    beat_tables_free(&tokenizer->durations);
    beat_tables_free(&tokenizer->rests);
    free(tokenizer->tick_times);
    vocabulary_free(&tokenizer->vocabulary);
    tokenizer->tick_times = NULL;
}
