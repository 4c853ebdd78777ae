#include "grow.h"
#include "midi_chunk.h"

/* ---- tracks and notes ---- */

/* Adds the chunk's tracks to the file's, by channel and program, with room for their notes. */
static int place_tracks(struct midi_track_reading *track)
{
    struct midi_file *file = track->file;
    size_t total = file->note_count;
    for (unsigned word = 0; word < MIDI_KEYS / 64; word++)
        for (uint64_t rest = track->known[word]; rest; rest &= rest - 1) {
            uint16_t index = track->track_of[word * 64 + (unsigned)__builtin_ctzll(rest)];
            struct chunk_track *from = &track->tracks[index];
            if (!from->kept)
                continue;
            if (GROW(file->tracks, file->track_capacity, file->track_count + 1, track->reading->why) < 0)
                return -1;
            from->at = (uint32_t)file->track_count;
            file->tracks[file->track_count++] = (struct midi_track){
                .first_note = total, .note_count = from->notes, .chunk = (uint16_t)track->reading->chunk, .channel = from->channel, .program = from->program};
            total += from->notes;
        }
    file->note_count = total;
    return GROW(file->notes, file->note_capacity, total + 1, track->reading->why); /* never NULL where there is a track */
}

static int place_notes(struct midi_track_reading *track)
{
    struct midi_file *file = track->file;
    struct midi_note *to[MIDI_KEYS + MIDI_CHANNELS];
    if (place_tracks(track) < 0)
        return -1;
    for (size_t t = 0; t < track->track_count; t++)
        if (track->tracks[t].at != NOBODY)
            to[t] = file->notes + file->tracks[track->tracks[t].at].first_note;
    int32_t last_end = file->last_end;
    for (const struct midi_open_note *note = file->open, *end = note + track->open_count; note < end; note++) {
        if (note->end >= 0)
            *to[note->track]++ = (struct midi_note){note->start, note->end - note->start, note->pitch, note->velocity};
        else
            track->sounding[note->channel << 7 | note->pitch].first = NOBODY;
        last_end = note->end > last_end ? note->end : last_end;
    }
    file->last_end = last_end;
    return 0;
}

/* ---- pedals, pitch bends and controls ---- */

/* Moves the chunk's pedals to its tracks, those of the file from `first` on. */
static int place_pedals(struct midi_track_reading *track, size_t first)
{
    struct midi_file *file = track->file;
    size_t total = file->pedal_count;
    for (size_t i = 0; i < track->pedal_count; i++)
        if (track->tracks[file->open_pedals[i].track].at != NOBODY)
            file->tracks[track->tracks[file->open_pedals[i].track].at].pedal_count++;
    for (size_t t = first; t < file->track_count; t++) {
        struct midi_track *to = &file->tracks[t];
        to->first_pedal = total;
        total += to->pedal_count;
        to->pedal_count = 0;
    }
    if (GROW(file->pedals, file->pedal_capacity, total, track->reading->why) < 0)
        return -1;
    for (size_t i = 0; i < track->pedal_count; i++) {
        uint32_t at = track->tracks[file->open_pedals[i].track].at;
        if (at != NOBODY)
            file->pedals[file->tracks[at].first_pedal + file->tracks[at].pedal_count++] = file->open_pedals[i].pedal;
    }
    file->pedal_count = total;
    return 0;
}

static int place_bends(struct midi_track_reading *track, size_t first)
{
    struct midi_file *file = track->file;
    size_t total = file->pitch_bend_count;
    for (size_t i = 0; i < track->bend_count; i++)
        if (track->tracks[file->open_bends[i].track].at != NOBODY)
            file->tracks[track->tracks[file->open_bends[i].track].at].pitch_bend_count++;
    for (size_t t = first; t < file->track_count; t++) {
        struct midi_track *to = &file->tracks[t];
        to->first_pitch_bend = total;
        total += to->pitch_bend_count;
        to->pitch_bend_count = 0;
    }
    if (GROW(file->pitch_bends, file->pitch_bend_capacity, total, track->reading->why) < 0)
        return -1;
    for (size_t i = 0; i < track->bend_count; i++) {
        uint32_t at = track->tracks[file->open_bends[i].track].at;
        if (at != NOBODY)
            file->pitch_bends[file->tracks[at].first_pitch_bend + file->tracks[at].pitch_bend_count++] = file->open_bends[i].bend;
    }
    file->pitch_bend_count = total;
    return 0;
}

static int place_controls(struct midi_track_reading *track, size_t first)
{
    struct midi_file *file = track->file;
    size_t total = file->control_count;
    for (size_t i = 0; i < track->control_count; i++)
        if (track->tracks[file->open_controls[i].track].at != NOBODY)
            file->tracks[track->tracks[file->open_controls[i].track].at].control_count++;
    for (size_t t = first; t < file->track_count; t++) {
        struct midi_track *to = &file->tracks[t];
        to->first_control = total;
        total += to->control_count;
        to->control_count = 0;
    }
    if (GROW(file->controls, file->control_capacity, total, track->reading->why) < 0)
        return -1;
    for (size_t i = 0; i < track->control_count; i++) {
        uint32_t at = track->tracks[file->open_controls[i].track].at;
        if (at != NOBODY)
            file->controls[file->tracks[at].first_control + file->tracks[at].control_count++] = file->open_controls[i].control;
    }
    file->control_count = total;
    return 0;
}

int midi_place(struct midi_track_reading *track)
{
    struct midi_file *file = track->file;
    size_t first = file->track_count;
    if (place_notes(track) < 0 || (file->want_control_changes && place_controls(track, first) < 0))
        return -1;
    return file->want_controls && (place_pedals(track, first) < 0 || place_bends(track, first) < 0) ? -1 : 0;
}
