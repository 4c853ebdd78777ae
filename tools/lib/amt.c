#include "amt.h"

#include <math.h>
#include <stdlib.h>

#include "grow.h"

enum { PITCH = 4, VELOCITY = 92, SHIFT = 124, LOWEST = 21, HIGHEST = 108 };

#define SHIFT_SECONDS 0.125

static int by_start(const void *a, const void *b)
{
    const struct amt_note *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->instrument != y->instrument)
        return x->instrument < y->instrument ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Seconds a tick, in that system's own arithmetic: its rounding decides which eighths have begun. */
static double seconds_per_tick(double quarters_a_minute, const struct midi_file *file)
{
    return 60 / (quarters_a_minute * file->ticks_per_quarter);
}

/* The stretches of one tempo. That system looked at the tempos of the first chunk alone, of those at its beginning took the last, and passed over repeated ones. */
static int time_tempos(struct amt_notes *notes, const struct midi_file *file, struct reason *why)
{
    if (GROW(notes->stretches, notes->stretch_capacity, file->tempo_count + 1, why) < 0)
        return -1;
    struct amt_stretch *now = notes->stretches;
    *now = (struct amt_stretch){0, 0, seconds_per_tick(120, file)};
    for (size_t i = 0; i < file->tempo_count; i++) {
        const struct midi_tempo *tempo = &file->tempos[i];
        double per_tick = seconds_per_tick(6e7 / tempo->microseconds, file);
        if (tempo->chunk != 0 || (tempo->time > 0 && per_tick == now->per_tick))
            continue;
        if (tempo->time > 0) {
            now++;
            *now = (struct amt_stretch){tempo->time, now[-1].seconds + now[-1].per_tick * (tempo->time - now[-1].tick), 0};
        }
        now->per_tick = per_tick;
    }
    notes->stretch_count = (size_t)(now - notes->stretches) + 1;
    return 0;
}

static double seconds_at(const struct amt_notes *notes, const struct midi_file *file, int32_t tick)
{
    if (file->ticks_per_second > 0)
        return tick * (1 / file->ticks_per_second);
    size_t begun = 1; /* stretches that begin at the tick or before; the first always does */
    for (size_t low = 1, high = notes->stretch_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (notes->stretches[middle].tick <= tick)
            begun = low = middle + 1;
        else
            high = middle;
    }
    const struct amt_stretch *stretch = &notes->stretches[begun - 1];
    return stretch->seconds + stretch->per_tick * (tick - stretch->tick);
}

static int gather(struct amt_notes *notes, const struct midi_file *file, struct reason *why)
{
    const struct note_endings *endings = file->endings;
    if (GROW(notes->list, notes->capacity, endings->count, why) < 0 || time_tempos(notes, file, why) < 0)
        return -1;
    for (size_t i = 0; i < endings->count; i++) {
        const struct note_ending *note = &endings->list[i];
        notes->list[i] = (struct amt_note){seconds_at(notes, file, note->start), note->instrument, (uint32_t)i, note->pitch, note->velocity};
    }
    if (endings->count > 0)
        qsort(notes->list, endings->count, sizeof *notes->list, by_start);
    return 0;
}

int amt_encode(struct amt_notes *notes, const struct midi_file *file, struct token_list *out, struct reason *why)
{
    if (gather(notes, file, why) < 0 || GROW(out->ids, out->capacity, out->count + AMT_MOST, why) < 0)
        return -1;
    int32_t *ids = out->ids + out->count;
    size_t count = 0;
    double time = 0;
#define PUT(id) do { if (count < AMT_MOST) ids[count++] = (id); } while (0)
    for (size_t i = 0; i < file->endings->count && count < AMT_MOST; i++) {
        const struct amt_note *note = &notes->list[i];
        int in_range = note->pitch >= LOWEST && note->pitch <= HIGHEST;
        for (double shifts = ceil((note->start - time) / SHIFT_SECONDS); shifts > 0 && count < AMT_MOST; shifts--)
            PUT(SHIFT);
        if (in_range)
            PUT(PITCH + note->pitch - LOWEST);
        PUT(VELOCITY + (note->velocity / 4 < 31 ? note->velocity / 4 : 31));
        if (in_range)
            PUT(PITCH + note->pitch - LOWEST);
        time = note->start;
    }
#undef PUT
    out->count += count;
    return 0;
}

void amt_free(struct amt_notes *notes)
{
    free(notes->list);
    free(notes->stretches);
    *notes = (struct amt_notes){0};
}
