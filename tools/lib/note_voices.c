#include "note_voices.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

/* When the last note of a pitch ends in a voice. Along the voices these never rise: a note goes to the first voice whose last note ends no later than it does. */
struct open_end { int32_t time; };

static int choose(struct note_voices *voices, const struct song_note *note, uint32_t *voice, struct reason *why)
{
    int pitch = note->pitch;
    int32_t end = note->time + note->duration;
    size_t low = 0, high = voices->open_count[pitch];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (voices->open[pitch][middle].time <= end)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == voices->open_count[pitch]) {
        if (GROW(voices->open[pitch], voices->open_capacity[pitch], low + 1, why) < 0)
            return -1;
        voices->open_count[pitch]++;
    }
    voices->open[pitch][low].time = end;
    *voice = (uint32_t)low;
    return 0;
}

static int room(struct note_voices *voices, size_t count, struct reason *why)
{
    return GROW(voices->notes, voices->note_capacity, count, why) < 0 || GROW(voices->sorted, voices->sorted_capacity, count, why) < 0 ||
                   GROW(voices->voice_of, voices->voice_capacity, count, why) < 0
               ? -1
               : 0;
}

/* Voice by voice: a counting sort. */
static int gather(struct note_voices *voices, size_t count, struct reason *why)
{
    if (GROW(voices->ends, voices->end_capacity, voices->count, why) < 0)
        return -1;
    memset(voices->ends, 0, voices->count * sizeof *voices->ends);
    for (size_t i = 0; i < count; i++)
        voices->ends[voices->voice_of[i]]++;
    size_t before = 0;
    for (size_t voice = 0; voice < voices->count; voice++) {
        size_t notes = voices->ends[voice];
        voices->ends[voice] = before;
        before += notes;
    }
    for (size_t i = 0; i < count; i++)
        voices->notes[voices->ends[voices->voice_of[i]]++] = voices->sorted[i];
    return 0;
}

int note_voices_split(struct note_voices *voices, const struct song_note *notes, size_t count, struct reason *why)
{
    voices->count = 0;
    if (count == 0)
        return 0;
    if (room(voices, count, why) < 0)
        return -1;
    memcpy(voices->sorted, notes, count * sizeof *notes);
    if (time_order_sort(&voices->order, voices->sorted, count, sizeof *notes, why) < 0)
        return -1;
    memset(voices->open_count, 0, sizeof voices->open_count);
    for (size_t i = 0; i < count; i++) {
        if (choose(voices, &voices->sorted[i], &voices->voice_of[i], why) < 0)
            return -1;
        if (voices->voice_of[i] >= voices->count)
            voices->count = voices->voice_of[i] + (size_t)1;
    }
    return gather(voices, count, why);
}

void note_voices_free(struct note_voices *voices)
{
    free(voices->notes);
    free(voices->ends);
    free(voices->sorted);
    free(voices->voice_of);
    for (int pitch = 0; pitch < 128; pitch++)
        free(voices->open[pitch]);
    time_order_free(&voices->order);
    *voices = (struct note_voices){0};
}
