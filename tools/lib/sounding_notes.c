#include "sounding_notes.h"

#include <stdlib.h>

#include "grow.h"

void sounding_notes_clear(struct sounding_notes *sounding)
{
    /* A list that is not empty begins with a note whose place says which list that is. */
    for (size_t i = 0; i < sounding->count; i++) {
        const struct sounding_note *note = &sounding->notes[i];
        sounding->first[note->program + 1][note->pitch] = 0;
    }
    sounding->count = sounding->free = 0;
}

void sounding_notes_free(struct sounding_notes *sounding)
{
    free(sounding->notes);
    sounding->notes = NULL;
    sounding->count = sounding->capacity = sounding->free = 0;
}

int sounding_notes_push(struct sounding_notes *sounding, int program, int pitch, int velocity, int64_t time, struct reason *why)
{
    size_t place = sounding->free;
    if (place) {
        sounding->free = sounding->notes[place - 1].next;
    } else {
        if (GROW(sounding->notes, sounding->capacity, sounding->count + 1, why) < 0)
            return -1;
        place = ++sounding->count;
    }
    sounding->notes[place - 1] = (struct sounding_note){time, 0, (int16_t)program, (uint8_t)pitch, (uint8_t)velocity};
    size_t *first = &sounding->first[program + 1][pitch], *last = &sounding->last[program + 1][pitch];
    if (*first)
        sounding->notes[*last - 1].next = place;
    else
        *first = place;
    *last = place;
    return 0;
}

int sounding_notes_pop(struct sounding_notes *sounding, int program, int pitch, struct sounding_note *note)
{
    size_t *first = &sounding->first[program + 1][pitch], place = *first;
    if (!place)
        return 0;
    *note = sounding->notes[place - 1];
    *first = note->next;
    sounding->notes[place - 1].next = sounding->free;
    sounding->free = place;
    return 1;
}
