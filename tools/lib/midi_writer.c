#include "midi_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gm_names.h"
#include "grow.h"
#include "note_voices.h"
#include "smf_chunk.h"
#include "time_order.h"

#define MOST_TRACKS 65535
#define DRUM_CHANNEL 9
#define MELODIC_CHANNELS 15
#define SUSTAIN 64

struct writer {
    struct smf_chunks *chunks;
    struct smf_event_bytes *events; /* of the track that is being made */
    size_t count, capacity;
    struct time_order order;
    struct note_voices voices;
    size_t tracks, melodic_tracks;
};

static int add(struct writer *writer, int32_t time, const uint8_t *bytes, size_t count, struct reason *why)
{
    if (GROW(writer->events, writer->capacity, writer->count + 1, why) < 0)
        return -1;
    struct smf_event_bytes *event = &writer->events[writer->count++];
    event->time = time;
    event->count = (uint8_t)count;
    memcpy(event->bytes, bytes, count);
    return 0;
}

#define ADD(writer, time, why, ...) add(writer, time, (const uint8_t[]){__VA_ARGS__}, sizeof (const uint8_t[]){__VA_ARGS__}, why)

static int end_track(struct writer *writer, const char *name, struct text_buffer *out, struct reason *why)
{
    if (writer->tracks++ == MOST_TRACKS)
        return fail(why, "more tracks than a MIDI file can hold (%d)", MOST_TRACKS);
    if (time_order_sort(&writer->order, writer->events, writer->count, sizeof *writer->events, why) < 0 ||
        smf_chunk_add(writer->chunks, name, writer->events, writer->count, out, why) < 0)
        return -1;
    writer->count = 0;
    return 0;
}

/* ---- what holds for all tracks ---- */

static int add_tempo(struct writer *writer, const struct song_tempo *tempo, struct reason *why)
{
    double exact = 60e6 / tempo->quarters_a_minute;
    if (!(exact >= 0.5 && exact < 0xffffff + 0.5))
        return fail(why, "a tempo of %g quarters a minute is none that a MIDI file can hold", tempo->quarters_a_minute);
    unsigned microseconds = (unsigned)lround(exact);
    return ADD(writer, tempo->time, why, 0xff, 0x51, 3, (uint8_t)(microseconds >> 16), (uint8_t)(microseconds >> 8), (uint8_t)microseconds);
}

static int add_time_signature(struct writer *writer, const struct song_time_signature *signature, struct reason *why)
{
    int power = 0;
    while (power < 7 && 1 << power < signature->denominator)
        power++;
    if (signature->numerator < 1 || signature->numerator > 255 || 1 << power != signature->denominator)
        return fail(why, "a time signature of %d/%d is none that a MIDI file can hold", signature->numerator, signature->denominator);
    return ADD(writer, signature->time, why, 0xff, 0x58, 4, (uint8_t)signature->numerator, (uint8_t)power, 24, 8);
}

static int add_key_signature(struct writer *writer, const struct song_key_signature *signature, struct reason *why)
{
    if (signature->key < -7 || signature->key > 7 || signature->minor < 0 || signature->minor > 1)
        return fail(why, "a key of %d sharps is none that a MIDI file can hold", signature->key);
    return ADD(writer, signature->time, why, 0xff, 0x59, 2, (uint8_t)signature->key, (uint8_t)signature->minor);
}

static int write_conductor(struct writer *writer, const struct song *song, struct text_buffer *out, struct reason *why)
{
    for (size_t i = 0; i < song->time_signature_count; i++)
        if (add_time_signature(writer, &song->time_signatures[i], why) < 0)
            return -1;
    for (size_t i = 0; i < song->key_signature_count; i++)
        if (add_key_signature(writer, &song->key_signatures[i], why) < 0)
            return -1;
    for (size_t i = 0; i < song->tempo_count; i++)
        if (add_tempo(writer, &song->tempos[i], why) < 0)
            return -1;
    return end_track(writer, NULL, out, why);
}

/* ---- a track ---- */

/* Port and program stand first. */
static int begin_track(struct writer *writer, const struct song_track *track, int *channel, struct reason *why)
{
    *channel = DRUM_CHANNEL;
    if (track->is_drum)
        return ADD(writer, 0, why, 0xc0 | DRUM_CHANNEL, (uint8_t)track->program);
    size_t number = writer->melodic_tracks++, port = number / MELODIC_CHANNELS;
    *channel = (int)(number % MELODIC_CHANNELS);
    *channel += *channel >= DRUM_CHANNEL;
    if (port > 0 && ADD(writer, 0, why, 0xff, 0x21, 1, (uint8_t)(port < 127 ? port : 127)) < 0)
        return -1;
    return ADD(writer, 0, why, (uint8_t)(0xc0 | *channel), (uint8_t)track->program);
}

static int check_notes(const struct song_track *track, struct reason *why)
{
    for (size_t i = 0; i < track->note_count; i++)
        if (track->notes[i].pitch > 127 || track->notes[i].velocity > 127 || track->notes[i].velocity == 0)
            return fail(why, "a note of pitch %d and velocity %d is none that a MIDI file can hold", track->notes[i].pitch, track->notes[i].velocity);
    return track->program < 0 || track->program > 127 ? fail(why, "a program of %d is none that a MIDI file can hold", track->program) : 0;
}

/* Ends of notes that began before; the events are sorted by time later, and keep this order. */
static int add_ends(struct writer *writer, const struct song_note *notes, size_t count, int channel, struct reason *why)
{
    for (size_t i = 0; i < count; i++)
        if (notes[i].duration > 0 && ADD(writer, notes[i].time + notes[i].duration, why, (uint8_t)(0x80 | channel), notes[i].pitch, 0) < 0)
            return -1;
    return 0;
}

static int add_starts(struct writer *writer, const struct song_note *notes, size_t count, int channel, struct reason *why)
{
    for (size_t i = 0; i < count; i++)
        if (ADD(writer, notes[i].time, why, (uint8_t)(0x90 | channel), notes[i].pitch, notes[i].velocity) < 0 ||
            (notes[i].duration == 0 && ADD(writer, notes[i].time, why, (uint8_t)(0x80 | channel), notes[i].pitch, 0) < 0))
            return -1;
    return 0;
}

static int add_control(struct writer *writer, int channel, int32_t time, uint8_t number, uint8_t value, struct reason *why)
{
    if (number > 127 || value > 127)
        return fail(why, "a controller %d of value %d is none that a MIDI file can hold", number, value);
    return ADD(writer, time, why, (uint8_t)(0xb0 | channel), number, value);
}

static int add_controls(struct writer *writer, const struct song_track *track, int channel, struct reason *why)
{
    for (size_t i = 0; i < track->control_count; i++)
        if (add_control(writer, channel, track->controls[i].time, track->controls[i].number, track->controls[i].value, why) < 0)
            return -1;
    for (size_t i = 0; i < track->pedal_count; i++)
        if (add_control(writer, channel, track->pedals[i].time, SUSTAIN, 127, why) < 0 ||
            add_control(writer, channel, track->pedals[i].time + track->pedals[i].duration, SUSTAIN, 0, why) < 0)
            return -1;
    for (size_t i = 0; i < track->bend_count; i++) {
        int value = track->bends[i].value + 8192;
        if (value < 0 || value > 16383)
            return fail(why, "a pitch bend of %d is none that a MIDI file can hold", track->bends[i].value);
        if (ADD(writer, track->bends[i].time, why, (uint8_t)(0xe0 | channel), (uint8_t)(value & 127), (uint8_t)(value >> 7)) < 0)
            return -1;
    }
    return 0;
}

static int write_track(struct writer *writer, const struct song_track *track, struct text_buffer *out, struct reason *why)
{
    if (check_notes(track, why) < 0 || note_voices_split(&writer->voices, track->notes, track->note_count, why) < 0)
        return -1;
    size_t voices = writer->voices.count, begin = 0;
    for (size_t voice = 0; voice < voices || voice == 0; voice++) {
        size_t end = voice < voices ? writer->voices.ends[voice] : 0;
        const struct song_note *notes = end > begin ? &writer->voices.notes[begin] : NULL;
        int channel;
        if (begin_track(writer, track, &channel, why) < 0 || add_ends(writer, notes, end - begin, channel, why) < 0 ||
            (voice == 0 && add_controls(writer, track, channel, why) < 0) || add_starts(writer, notes, end - begin, channel, why) < 0 ||
            end_track(writer, track->is_drum ? "Drums" : gm_names[track->program], out, why) < 0)
            return -1;
        begin = end;
    }
    return 0;
}

/* ---- the file ---- */

static int write_tracks(struct writer *writer, const struct song *song, struct text_buffer *out, struct reason *why)
{
    if (song->ticks_per_quarter < 1 || song->ticks_per_quarter > 32767)
        return fail(why, "%d ticks a quarter note are none that a MIDI file can hold", song->ticks_per_quarter);
    size_t begin = out->count;
    const char header[] = {'M', 'T', 'h', 'd', 0, 0, 0, 6, 0, 1, 0, 0, (char)(song->ticks_per_quarter >> 8), (char)song->ticks_per_quarter};
    text_add(out, header, sizeof header);
    if (write_conductor(writer, song, out, why) < 0)
        return -1;
    for (size_t i = 0; i < song->track_count; i++)
        if (write_track(writer, &song->tracks[i], out, why) < 0)
            return -1;
    out->bytes[begin + 10] = (char)(writer->tracks >> 8);
    out->bytes[begin + 11] = (char)writer->tracks;
    return 0;
}

int midi_write(const struct song *song, struct text_buffer *out, struct reason *why)
{
    struct writer writer = {.chunks = smf_chunks_open(why)};
    if (!writer.chunks)
        return -1;
    int result = write_tracks(&writer, song, out, why);
    smf_chunks_close(writer.chunks);
    free(writer.events);
    time_order_free(&writer.order);
    note_voices_free(&writer.voices);
    return result;
}
