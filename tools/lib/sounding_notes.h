/* Notes that have begun and not ended, first in, first out for each program and pitch. */
#ifndef REPRISE_SOUNDING_NOTES_H
#define REPRISE_SOUNDING_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

struct sounding_note { int64_t time; size_t next; int16_t program; uint8_t pitch, velocity; };

/* Start with {0}; it keeps its memory. Lists are of places in `notes`, from 1; 0: none. */
struct sounding_notes { struct sounding_note *notes; size_t count, capacity, free, first[129][128], last[129][128]; };

void sounding_notes_clear(struct sounding_notes *sounding);
void sounding_notes_free(struct sounding_notes *sounding);
/* program: -1 .. 127, pitch: 0 .. 127. 0, or -1 with `why`. */
int sounding_notes_push(struct sounding_notes *sounding, int program, int pitch, int velocity, int64_t time, struct reason *why) __attribute__((warn_unused_result));
/* The note that has sounded longest; 0 if there is none. */
int sounding_notes_pop(struct sounding_notes *sounding, int program, int pitch, struct sounding_note *note);

#endif
