#include "note_endings.h"

#include <stdlib.h>

#include "grow.h"

void note_endings_clear(struct note_endings *endings)
{
    note_endings_begin_chunk(endings);
    for (size_t i = 0; i < NOTE_ENDINGS_KEYS; i++)
        endings->instrument[i] = 0;
    endings->count = endings->chunk_begin = 0;
}

void note_endings_begin_chunk(struct note_endings *endings)
{
    for (size_t i = 0; i < endings->sounding_count; i++)
        endings->first[endings->sounding[i].key] = 0;
    endings->sounding_count = 0;
    endings->chunk_begin = endings->count;
}

int note_endings_start(struct note_endings *endings, unsigned channel, uint8_t pitch, uint8_t velocity, int32_t time, struct reason *why)
{
    unsigned key = channel << 7 | pitch;
    if (GROW(endings->sounding, endings->sounding_capacity, endings->sounding_count + 1, why) < 0)
        return -1;
    uint32_t place = (uint32_t)++endings->sounding_count; /* a chunk has below 2^32 bytes */
    endings->sounding[place - 1] = (struct sounding){time, 0, (uint16_t)key, velocity};
    if (endings->first[key])
        endings->sounding[endings->last[key] - 1].next = place;
    else
        endings->first[key] = place;
    endings->last[key] = place;
    return 0;
}

int note_endings_end(struct note_endings *endings, unsigned channel, uint8_t program, uint8_t pitch, int32_t time, struct reason *why)
{
    unsigned key = channel << 7 | pitch;
    uint32_t *instrument = &endings->instrument[channel << 7 | program];
    size_t before = endings->count;
    uint32_t place = endings->first[key];
    /* They began one after the other, so those that begin now are the last. */
    for (; place && endings->sounding[place - 1].start != time; place = endings->sounding[place - 1].next) {
        const struct sounding *note = &endings->sounding[place - 1];
        if (GROW(endings->list, endings->capacity, endings->count + 1, why) < 0)
            return -1;
        if (*instrument <= endings->chunk_begin)
            *instrument = (uint32_t)endings->count + 1;
        endings->list[endings->count++] = (struct note_ending){note->start, *instrument, pitch, note->velocity};
    }
    endings->first[key] = endings->count > before ? place : 0;
    return 0;
}

void note_endings_free(struct note_endings *endings)
{
    free(endings->list);
    free(endings->sounding);
    *endings = (struct note_endings){0};
}
