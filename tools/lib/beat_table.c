#include "beat_table.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TICKS (1 << 22)

/* Times ascend (tokenizer_config_settle checks that), but where a beat has few ticks, some may be equal: then tokens name the last of them, as MidiTok's do. */
static int fill(struct beat_table *table, const struct beat_time *times, size_t count, struct reason *why)
{
    table->ticks = malloc(count * sizeof *table->ticks);
    if (!table->ticks)
        return fail(why, "out of memory");
    for (size_t i = 0; i < count; i++)
        table->ticks[i] = beat_time_ticks(times[i], table->ticks_per_beat);
    table->shortest = table->ticks[0];
    table->longest = table->ticks[count - 1];
    if (table->longest > MOST_TICKS)
        return fail(why, "beat_res: its times are too long for its resolution");
    table->nearest = malloc((size_t)(table->longest + 1) * sizeof *table->nearest);
    table->below = malloc((size_t)(table->longest + 1) * sizeof *table->below);
    if (!table->nearest || !table->below)
        return fail(why, "out of memory");
    size_t above = 0; /* the first time of at least `ticks` */
    for (int32_t ticks = 0; ticks <= table->longest; ticks++) {
        while (table->ticks[above] < ticks)
            above++;
        size_t at = above > 0 && ticks - table->ticks[above - 1] < table->ticks[above] - ticks ? above - 1 : above;
        while (at + 1 < count && table->ticks[at + 1] == table->ticks[at])
            at++;
        size_t below = above;
        while (below + 1 < count && table->ticks[below + 1] <= ticks)
            below++;
        table->nearest[ticks] = (uint16_t)at;
        table->below[ticks] = (uint16_t)(table->ticks[below] > ticks && below > 0 ? below - 1 : below);
    }
    return 0;
}

int beat_tables_make(struct beat_tables *tables, const struct vocabulary *vocabulary, const struct beat_time *times, size_t count, struct reason *why)
{
    const struct tokenizer_config *config = vocabulary->config;
    *tables = (struct beat_tables){0};
    if (count == 0)
        return 0;
    for (int denominator = 128; denominator > 0; denominator /= 2) {
        int32_t ticks = config_positions_per_beat(config) * (vocabulary->denominator_most / denominator);
        int used = 0;
        for (size_t i = 0; i < config->time_signature_range.count; i++)
            used |= config->time_signature_range.list[i].denominator == denominator;
        if (ticks == 0 || !used)
            continue;
        struct beat_table *table = &tables->tables[tables->count++];
        table->ticks_per_beat = ticks;
        if (fill(table, times, count, why) < 0)
            return -1;
    }
    return 0;
}

void beat_tables_free(struct beat_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        free(tables->tables[i].nearest);
        free(tables->tables[i].below);
        free(tables->tables[i].ticks);
    }
    *tables = (struct beat_tables){0};
}

const struct beat_table *beat_table_of(const struct beat_tables *tables, int32_t ticks_per_beat)
{
    for (size_t i = 0; i < tables->count; i++)
        if (tables->tables[i].ticks_per_beat == ticks_per_beat)
            return &tables->tables[i];
    return NULL;
}
