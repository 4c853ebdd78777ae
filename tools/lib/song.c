#include "song.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

void song_clear(struct song *song)
{
    song->track_count = song->tempo_count = song->time_signature_count = song->key_signature_count = 0;
}

void song_free(struct song *song)
{
    for (size_t i = 0; i < song->tracks_used; i++) {
        struct song_track *track = &song->tracks[i];
        free(track->notes);
        free(track->controls);
        free(track->bends);
        free(track->pedals);
    }
    free(song->tracks);
    free(song->tempos);
    free(song->time_signatures);
    free(song->key_signatures);
    *song = (struct song){0};
}

int song_add_track(struct song *song, int program, int is_drum, size_t *track, struct reason *why)
{
    if (GROW(song->tracks, song->track_capacity, song->track_count + 1, why) < 0)
        return -1;
    struct song_track *added = &song->tracks[song->track_count];
    if (song->track_count == song->tracks_used) {
        *added = (struct song_track){0};
        song->tracks_used++;
    }
    added->program = program;
    added->is_drum = is_drum;
    added->note_count = added->control_count = added->bend_count = added->pedal_count = 0;
    *track = song->track_count++;
    return 0;
}

void song_drop_track(struct song *song)
{
    song->track_count--;
}

static int check_span(int32_t time, int32_t duration, struct reason *why)
{
    if (time < 0 || duration < 0 || time > SONG_LAST_TICK || duration > SONG_LAST_TICK - time)
        return fail(why, "a time beyond what a MIDI file can hold (%d ticks)", SONG_LAST_TICK);
    return 0;
}

int song_add_note(struct song *song, size_t index, struct song_note note, struct reason *why)
{
    struct song_track *track = &song->tracks[index];
    if (check_span(note.time, note.duration, why) < 0 || GROW(track->notes, track->note_capacity, track->note_count + 1, why) < 0)
        return -1;
    track->notes[track->note_count++] = note;
    return 0;
}

int song_add_control(struct song *song, size_t index, struct song_control control, struct reason *why)
{
    struct song_track *track = &song->tracks[index];
    if (check_span(control.time, 0, why) < 0 || GROW(track->controls, track->control_capacity, track->control_count + 1, why) < 0)
        return -1;
    track->controls[track->control_count++] = control;
    return 0;
}

int song_add_bend(struct song *song, size_t index, struct song_bend bend, struct reason *why)
{
    struct song_track *track = &song->tracks[index];
    if (check_span(bend.time, 0, why) < 0 || GROW(track->bends, track->bend_capacity, track->bend_count + 1, why) < 0)
        return -1;
    track->bends[track->bend_count++] = bend;
    return 0;
}

int song_add_pedal(struct song *song, size_t index, struct song_pedal pedal, struct reason *why)
{
    struct song_track *track = &song->tracks[index];
    if (check_span(pedal.time, pedal.duration, why) < 0 || GROW(track->pedals, track->pedal_capacity, track->pedal_count + 1, why) < 0)
        return -1;
    track->pedals[track->pedal_count++] = pedal;
    return 0;
}

int song_add_tempo(struct song *song, struct song_tempo tempo, struct reason *why)
{
    if (check_span(tempo.time, 0, why) < 0 || GROW(song->tempos, song->tempo_capacity, song->tempo_count + 1, why) < 0)
        return -1;
    song->tempos[song->tempo_count++] = tempo;
    return 0;
}

int song_add_time_signature(struct song *song, struct song_time_signature signature, struct reason *why)
{
    if (check_span(signature.time, 0, why) < 0 ||
        GROW(song->time_signatures, song->time_signature_capacity, song->time_signature_count + 1, why) < 0)
        return -1;
    song->time_signatures[song->time_signature_count++] = signature;
    return 0;
}

int song_add_key_signature(struct song *song, struct song_key_signature signature, struct reason *why)
{
    if (check_span(signature.time, 0, why) < 0 ||
        GROW(song->key_signatures, song->key_signature_capacity, song->key_signature_count + 1, why) < 0)
        return -1;
    song->key_signatures[song->key_signature_count++] = signature;
    return 0;
}
