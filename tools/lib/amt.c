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
    if (x->chunk != y->chunk)
        return x->chunk - y->chunk;
    if (x->track_end != y->track_end)
        return x->track_end < y->track_end ? -1 : 1;
    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* When each tempo comes into force, in seconds: summed up from tempo to tempo, once for all notes. */
static int time_tempos(struct amt_notes *notes, const struct midi_file *file, struct reason *why)
{
    if (GROW(notes->seconds, notes->second_capacity, file->tempo_count + 1, why) < 0)
        return -1;
    double seconds = 0, per_tick = MIDI_DEFAULT_TEMPO / 1e6 / file->ticks_per_quarter;
    int32_t tick = 0;
    for (size_t i = 0; i < file->tempo_count; i++) {
        const struct midi_tempo *tempo = &file->tempos[i];
        seconds += (tempo->time - tick) * per_tick;
        tick = tempo->time;
        per_tick = tempo->microseconds / 1e6 / file->ticks_per_quarter;
        notes->seconds[i] = seconds;
    }
    return 0;
}

static double seconds_at(const struct amt_notes *notes, const struct midi_file *file, int32_t tick)
{
    if (file->ticks_per_second > 0)
        return tick * (1 / file->ticks_per_second);
    size_t begun = 0; /* tempos in force at the tick or before */
    for (size_t low = 0, high = file->tempo_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (file->tempos[middle].time <= tick)
            begun = low = middle + 1;
        else
            high = middle;
    }
    if (begun == 0)
        return tick * (MIDI_DEFAULT_TEMPO / 1e6 / file->ticks_per_quarter);
    const struct midi_tempo *tempo = &file->tempos[begun - 1];
    return notes->seconds[begun - 1] + (tick - tempo->time) * (tempo->microseconds / 1e6 / file->ticks_per_quarter);
}

static int gather(struct amt_notes *notes, const struct midi_file *file, struct reason *why)
{
    if (GROW(notes->list, notes->capacity, file->note_count, why) < 0 || time_tempos(notes, file, why) < 0)
        return -1;
    uint32_t count = 0;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        int32_t first_end = INT32_MAX;
        for (size_t i = 0; i < track->note_count; i++) {
            const struct midi_note *note = &file->notes[track->first_note + i];
            first_end = note->start + note->duration < first_end ? note->start + note->duration : first_end;
        }
        for (size_t i = 0; i < track->note_count; i++, count++) {
            const struct midi_note *note = &file->notes[track->first_note + i];
            notes->list[count] = (struct amt_note){seconds_at(notes, file, note->start), note->start + note->duration, first_end, (uint32_t)t, count,
                                                   track->chunk, note->pitch, note->velocity};
        }
    }
    if (count > 0)
        qsort(notes->list, count, sizeof *notes->list, by_start);
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
    for (size_t i = 0; i < file->note_count && count < AMT_MOST; i++) {
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
    free(notes->seconds);
    *notes = (struct amt_notes){0};
}
