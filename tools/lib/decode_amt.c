/* AMT, the earlier Python system's vocabulary (amt.h): time shifts of an eighth of a second, and for each note pitch, velocity, pitch. It says neither how long a note
 * is nor which program plays it: notes that begin together last half a second, or until the next of one of their pitches, on a piano (they end together, since this vocabulary lists
 * them in the order of their ends). Of a note out of the range of pitches it keeps the velocity alone: such a
 * note is lost. */
#include "amt.h"
#include "decoding.h"

#define FIRST_PITCH_ID 4
#define LAST_PITCH_ID 91
#define LOWEST_PITCH 21
#define FIRST_VELOCITY_ID 92
#define LAST_VELOCITY_ID 123
#define SHIFT_ID (AMT_IDS - 1)
#define SHIFT_TICKS 120 /* an eighth of a second: 480 ticks a quarter, 120 quarters a minute */
#define LONGEST_TICKS 480

static int is_pitch(int32_t id)
{
    return id >= FIRST_PITCH_ID && id <= LAST_PITCH_ID;
}

static int is_velocity(int32_t id)
{
    return id >= FIRST_VELOCITY_ID && id <= LAST_VELOCITY_ID;
}

/* The note before of this pitch, and those that began with it, end where the next begins. */
static void cut_notes(struct song_track *track, size_t note, int32_t tick)
{
    int32_t time = track->notes[note].time;
    if (time == tick || time + track->notes[note].duration <= tick)
        return;
    while (note > 0 && track->notes[note - 1].time == time)
        note--;
    for (; note < track->note_count && track->notes[note].time == time; note++)
        track->notes[note].duration = tick - time;
}

int decode_amt(struct decoding *d, const struct token_rows *rows, struct reason *why)
{
    int64_t tick = 0;
    size_t track, last[128] = {0}; /* 1 + the note of each pitch that is the last so far */
    if (decoding_track(d, 0, &track, why) < 0)
        return -1;
    for (size_t i = 0; i < rows->count; i++) {
        const int32_t *id = rows->ids + i;
        if (*id < 0 || *id >= AMT_IDS)
            return fail(why, "token %zu: the id %d: the vocabulary has %d", i, *id, AMT_IDS);
        if (*id == SHIFT_ID)
            tick += SHIFT_TICKS;
        if (tick > SONG_LAST_TICK)
            return fail(why, "token %zu: a time beyond what a MIDI file can hold (%d ticks)", i, SONG_LAST_TICK);
        if (!is_pitch(*id) || i + 1 >= rows->count || !is_velocity(id[1]))
            continue;
        int pitch = LOWEST_PITCH + *id - FIRST_PITCH_ID, velocity = 4 * (id[1] - FIRST_VELOCITY_ID) + 2;
        if (last[pitch])
            cut_notes(&d->song->tracks[track], last[pitch] - 1, (int32_t)tick);
        if (decoding_add_note(d, track, tick, LONGEST_TICKS, pitch, velocity, why) < 0)
            return -1;
        last[pitch] = d->song->tracks[track].note_count;
        i += i + 2 < rows->count && id[2] == *id ? 2 : 1;
    }
    return 0;
}
