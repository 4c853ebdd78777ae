#include "vocabulary_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define MOST_TIMES 65000 /* durations: more are no vocabulary, and beat_table.h counts them in 16 bits */

double linspace(double first, double last, int count, int i)
{
    if (i > 0 && i == count - 1)
        return last;
    double step = count > 1 ? (last - first) / (count - 1) : 0;
    return i * step + first;
}

/* numpy.geomspace */
static double geomspace(double first, double last, int count, int i)
{
    if (i == 0)
        return first;
    return i == count - 1 ? last : pow(10.0, linspace(log10(first), log10(last), count, i));
}

void python_float(double number, char *out, size_t size)
{
    int precision = 1;
    do
        snprintf(out, size, "%.*g", precision, number);
    while (strtod(out, NULL) != number && ++precision <= 17);
    /* Python writes exponents only from 1e16 on. */
    if (strchr(out, 'e') && fabs(number) < 1e16 && fabs(number) >= 1)
        snprintf(out, size, "%.1f", number);
    else if (!strpbrk(out, ".en"))
        snprintf(out + strlen(out), size - strlen(out), ".0");
}

static int is_continuous(int number)
{
    static const uint8_t continuous[128] = {[1] = 1, [2] = 1, [4] = 1, [5] = 1, [7] = 1, [8] = 1, [10] = 1, [11] = 1, [64] = 1, [67] = 1, [71] = 1,
                                            [72] = 1, [73] = 1, [74] = 1, [75] = 1, [76] = 1, [77] = 1, [78] = 1, [91] = 1, [92] = 1, [93] = 1,
                                            [94] = 1, [95] = 1};
    return continuous[number];
}

int control_values(const struct tokenizer_config *config, int number, uint8_t values[128])
{
    int is_switch = number == 65 || number == 66 || number == 68 || number == 69 || number == 122;
    int count = is_switch ? 2 : is_continuous(number) ? config->control_change_n_bins : 128;
    for (int i = 0; i < count; i++)
        values[i] = (uint8_t)rint(linspace(0, 127, count, i));
    return count;
}

/* All times of the ranges but 0, and the end of the greatest one. */
static int make_times(const struct beat_resolution *beats, struct beat_time **times, size_t *count, size_t *capacity, struct reason *why)
{
    const struct beat_range *greatest = beats->ranges;
    *count = 0;
    for (size_t r = 0; r < beats->count; r++) {
        const struct beat_range *range = &beats->ranges[r];
        if (range->first > greatest->first || (range->first == greatest->first && range->end > greatest->end))
            greatest = range;
        size_t added = (size_t)(range->end - range->first) * (size_t)range->resolution;
        if (*count + added > MOST_TIMES)
            return fail(why, "beat_res: more than %d times", MOST_TIMES);
        if (GROW(*times, *capacity, *count + added + 1, why) < 0)
            return -1;
        for (int32_t beat = range->first; beat < range->end; beat++)
            for (int32_t step = 0; step < range->resolution; step++)
                (*times)[(*count)++] = (struct beat_time){beat, step, range->resolution};
    }
    (*times)[(*count)++] = (struct beat_time){greatest->end, 0, greatest->resolution};
    memmove(*times, *times + 1, --*count * sizeof **times);
    return 0;
}

/* PerTok's times are in ticks, and all ranges count. */
static int make_tick_times(struct vocabulary *vocabulary, struct reason *why)
{
    const struct beat_resolution *beats = &vocabulary->config->beat_res;
    int32_t quarter = vocabulary->config->ticks_per_quarter;
    for (size_t r = 0; r < beats->count; r++) {
        const struct beat_range *range = &beats->ranges[r];
        size_t added = (size_t)(range->end - range->first) * (size_t)range->resolution;
        if (vocabulary->duration_count + added > MOST_TIMES)
            return fail(why, "beat_res: more than %d times", MOST_TIMES);
        if (GROW(vocabulary->durations, vocabulary->duration_capacity, vocabulary->duration_count + added, why) < 0)
            return -1;
        for (int32_t beat = range->first; beat < range->end; beat++)
            for (int32_t step = 0; step < range->resolution; step++)
                if (beat > 0 || step > 0)
                    vocabulary->durations[vocabulary->duration_count++] = (struct beat_time){beat, quarter / range->resolution * step, quarter};
    }
    return vocabulary->duration_count > 0 ? 0 : fail(why, "beat_res: no time but 0");
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int make_positions(struct vocabulary *vocabulary, struct reason *why)
{
    size_t count = vocabulary->duration_count + 1;
    if (GROW(vocabulary->positions, vocabulary->position_capacity, count, why) < 0)
        return -1;
    vocabulary->positions[0] = 0;
    for (size_t i = 1; i < count; i++)
        vocabulary->positions[i] = vocabulary->durations[i - 1].beats * vocabulary->config->ticks_per_quarter + vocabulary->durations[i - 1].steps;
    qsort(vocabulary->positions + 1, count - 1, sizeof *vocabulary->positions, ascending);
    vocabulary->position_count = 1;
    for (size_t i = 1; i < count; i++)
        if (i == 1 || vocabulary->positions[i] != vocabulary->positions[vocabulary->position_count - 1])
            vocabulary->positions[vocabulary->position_count++] = vocabulary->positions[i];
    return 0;
}

static int make_tables(struct vocabulary *vocabulary, struct reason *why)
{
    const struct tokenizer_config *config = vocabulary->config;
    int32_t bends = config->pitch_bend_range.count, timings = config->num_microtiming_bins + 1;
    vocabulary->tempos = calloc((size_t)config->num_tempos, sizeof *vocabulary->tempos);
    vocabulary->pitch_bends = calloc((size_t)bends, sizeof *vocabulary->pitch_bends);
    vocabulary->microtimings = calloc((size_t)timings, sizeof *vocabulary->microtimings);
    if (!vocabulary->tempos || !vocabulary->pitch_bends || !vocabulary->microtimings)
        return fail(why, "out of memory");
    for (int32_t i = 0; i < config->num_tempos; i++)
        vocabulary->tempos[i] = rint((config->log_tempos ? geomspace : linspace)(config->tempo_range.first, config->tempo_range.last, config->num_tempos, i) * 100) / 100;
    for (int32_t i = 0; i < bends; i++)
        vocabulary->pitch_bends[i] = (int32_t)floor(linspace(config->pitch_bend_range.first, config->pitch_bend_range.last, bends, i));
    double shift = config->max_microtiming_shift * config->ticks_per_quarter;
    for (int32_t i = 0; i < timings; i++)
        vocabulary->microtimings[i] = (int32_t)floor(linspace(-shift, shift, timings, i));
    vocabulary->velocity_count = config->use_velocities ? config->num_velocities : 0;
    for (int i = 0; i < vocabulary->velocity_count; i++)
        vocabulary->velocities[i] = (uint8_t)floor(linspace(0, 127, config->num_velocities + 1, i + 1));
    return 0;
}

int vocabulary_values_make(struct vocabulary *vocabulary, struct reason *why)
{
    static const struct config_time_signature common = {4, 4};
    const struct tokenizer_config *config = vocabulary->config;
    vocabulary->time_signatures = config->use_time_signatures ? config->time_signature_range.list : &common;
    vocabulary->time_signature_count = config->use_time_signatures ? config->time_signature_range.count : 1;
    for (size_t i = 0; i < vocabulary->time_signature_count; i++) {
        struct config_time_signature signature = vocabulary->time_signatures[i];
        vocabulary->numerator_most = signature.numerator > vocabulary->numerator_most ? signature.numerator : vocabulary->numerator_most;
        vocabulary->denominator_most = signature.denominator > vocabulary->denominator_most ? signature.denominator : vocabulary->denominator_most;
    }
    if (make_tables(vocabulary, why) < 0)
        return -1;
    if (config->tokenization == PER_TOK && (make_tick_times(vocabulary, why) < 0 || make_positions(vocabulary, why) < 0))
        return -1;
    if (config->tokenization != PER_TOK &&
        make_times(&config->beat_res, &vocabulary->durations, &vocabulary->duration_count, &vocabulary->duration_capacity, why) < 0)
        return -1;
    return config->use_rests ? make_times(&config->beat_res_rest, &vocabulary->rests, &vocabulary->rest_count, &vocabulary->rest_capacity, why) : 0;
}

/* ---- the order of a Python set of small integers ---- */

#define LINEAR_PROBES 9
#define PERTURB_SHIFT 5
#define EMPTY 255

/* Where set_add_entry and set_insert_clean of CPython put a key that is not there yet: `table` holds indices of keys. */
static void insert(uint8_t *table, size_t mask, int8_t program, uint8_t index)
{
    size_t hash = program == -1 ? (size_t)-2 : (size_t)program, perturb = hash, i = hash & mask;
    for (;;) {
        size_t probes = i + LINEAR_PROBES <= mask ? LINEAR_PROBES : 0;
        for (size_t at = i; at <= i + probes; at++)
            if (table[at] == EMPTY) {
                table[at] = index;
                return;
            }
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + 1 + perturb) & mask;
    }
}

void program_set_order(const struct program_set *set, int8_t order[129])
{
    uint8_t table[2048], larger[2048];
    size_t mask = 7, used = 0;
    memset(table, EMPTY, sizeof table);
    for (size_t i = 0; i < set->count; i++) {
        insert(table, mask, set->programs[i], (uint8_t)i);
        used++;
        if (used * 5 < mask * 3)
            continue;
        size_t size = 8;
        while (size <= used * 4)
            size *= 2;
        memset(larger, EMPTY, sizeof larger);
        for (size_t at = 0; at <= mask; at++)
            if (table[at] != EMPTY)
                insert(larger, size - 1, set->programs[table[at]], table[at]);
        memcpy(table, larger, sizeof table);
        mask = size - 1;
    }
    size_t count = 0;
    for (size_t at = 0; at <= mask; at++)
        if (table[at] != EMPTY)
            order[count++] = set->programs[table[at]];
}
