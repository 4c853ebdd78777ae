#include "midi_file.h"

#include <stdlib.h>
#include <string.h>

#include "midi_reading.h"
#include "note_endings.h"

int midi_damaged(struct midi_reading *reading, const uint8_t *at, const char *what)
{
    reading->is_damage = 1;
    return fail(reading->why, "byte %zu: %s", (size_t)(at - reading->bytes), what);
}

int midi_is_forgiven(struct midi_reading *reading)
{
    struct midi_file *file = reading->file;
    if (!reading->is_damage || !file->lenient)
        return 0;
    reading->is_damage = 0;
    if (!file->is_damaged)
        file->damage = *reading->why;
    file->is_damaged = 1;
    return 1;
}

uint32_t midi_big_endian(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static int is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

struct midi_text midi_title(const struct midi_file *file)
{
    for (size_t i = 0; i < file->text_count && file->texts[i].chunk == 0; i++) {
        struct midi_text text = file->texts[i];
        if (text.kind != MIDI_TRACK_NAME)
            continue;
        for (; text.length > 0 && is_blank(text.bytes[0]); text.length--)
            text.bytes++;
        while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
            text.length--;
        if (text.length > 0)
            return text;
    }
    return (struct midi_text){0};
}

/* ---- chunks ---- */

/* Reads the chunk at `at`, whose length is at most what is left. */
static int read_chunk(struct midi_reading *reading, const uint8_t *at, size_t length)
{
    if (memcmp(at, "MTrk", 4) != 0)
        return 0;
    if (midi_track_read(reading, at + 8, at + 8 + length) < 0)
        return -1;
    reading->file->chunk_count = ++reading->chunk;
    return 0;
}

static int read_chunks(struct midi_reading *reading, const uint8_t *at, size_t tracks)
{
    while (reading->chunk < tracks && at < reading->end) {
        size_t left = (size_t)(reading->end - at);
        if (left < 8) {
            if (memcmp(at, "MTrk", left < 4 ? left : 4) != 0)
                return 0; /* too little for a chunk */
            midi_damaged(reading, at, "the file ends inside a track's header: it is truncated");
            return midi_is_forgiven(reading) ? 0 : -1;
        }
        size_t length = midi_big_endian(at + 4, 4);
        if (length > left - 8) {
            reading->is_damage = 1;
            fail(reading->why, "byte %zu: the file is truncated: a chunk of %zu bytes begins here, %zu are left", (size_t)(at - reading->bytes), length,
                 left - 8);
            if (!midi_is_forgiven(reading))
                return -1;
            length = left - 8;
        }
        if (read_chunk(reading, at, length) < 0)
            return -1;
        at += 8 + length;
    }
    return 0;
}

/* ---- the file ---- */

/* Steps into a RIFF RMID wrapper: where its data chunk begins, or NULL (reported). */
static const uint8_t *unwrap(struct midi_reading *reading)
{
    const uint8_t *at = reading->bytes + 12;
    while (reading->end - at >= 8) {
        size_t left = (size_t)(reading->end - at) - 8;
        size_t length = at[4] | (size_t)at[5] << 8 | (size_t)at[6] << 16 | (size_t)at[7] << 24;
        if (memcmp(at, "data", 4) == 0) {
            if (length < left)
                reading->end = at + 8 + length;
            return at + 8;
        }
        length += length & 1; /* RIFF chunks begin at even places */
        if (length > left)
            break;
        at += 8 + length;
    }
    fail(reading->why, "a RIFF RMID file without a data chunk");
    return NULL;
}

static int read_division(struct midi_reading *reading, const uint8_t *at)
{
    struct midi_file *file = reading->file;
    unsigned division = midi_big_endian(at, 2);
    if (division == 0)
        return midi_damaged(reading, at, "the division is 0 ticks per quarter note");
    if (division < 0x8000) {
        file->ticks_per_quarter = division;
        return 0;
    }
    unsigned frames = 256 - (division >> 8), ticks = division & 0xff;
    if ((frames != 24 && frames != 25 && frames != 29 && frames != 30) || ticks == 0)
        return midi_damaged(reading, at, "an SMPTE division of neither 24, 25, 29 nor 30 frames, or of no ticks per frame");
    file->ticks_per_second = (frames == 29 ? 30000.0 / 1001.0 : frames) * ticks; /* 29 stands for 29.97 */
    file->ticks_per_quarter = file->ticks_per_second / 2;
    return 0;
}

static int read_file(struct midi_reading *reading)
{
    const uint8_t *at = reading->bytes;
    size_t count = (size_t)(reading->end - at);
    if (count == 0)
        return fail(reading->why, "an empty file");
    if (count >= 12 && memcmp(at, "RIFF", 4) == 0 && memcmp(at + 8, "RMID", 4) == 0) {
        at = unwrap(reading);
        if (!at)
            return -1;
    }
    size_t left = (size_t)(reading->end - at);
    if (left < 4 || memcmp(at, "MThd", 4) != 0)
        return fail(reading->why, "not a MIDI file (it does not begin with MThd)");
    if (left < 14)
        return midi_damaged(reading, at, "the file ends inside its header: it is truncated");
    size_t length = midi_big_endian(at + 4, 4);
    if (length < 6 || length > left - 8)
        return midi_damaged(reading, at + 4, "the header's length is below 6 or beyond the file");
    reading->file->format = (int)midi_big_endian(at + 8, 2);
    if (reading->file->format > 2)
        return midi_damaged(reading, at + 8, "the format is not 0, 1 or 2");
    if (read_division(reading, at + 12) < 0)
        return -1;
    return read_chunks(reading, at + 8 + length, midi_big_endian(at + 10, 2));
}

int midi_file_read(const uint8_t *bytes, size_t count, struct midi_file *file, struct reason *why)
{
    struct midi_reading reading = {.file = file, .bytes = bytes, .end = bytes + count, .why = why};
    file->note_count = file->track_count = file->pedal_count = file->pitch_bend_count = file->control_count = 0;
    file->tempo_count = file->time_signature_count = file->key_signature_count = file->text_count = 0;
    file->chunk_count = 0;
    file->last_end = 0;
    file->ticks_per_second = 0;
    file->is_damaged = 0;
    if (file->endings)
        note_endings_clear(file->endings);
    if (read_file(&reading) < 0 || time_order_sort(&file->order, file->tempos, file->tempo_count, sizeof *file->tempos, why) < 0 ||
        time_order_sort(&file->order, file->time_signatures, file->time_signature_count, sizeof *file->time_signatures, why) < 0)
        return -1;
    return time_order_sort(&file->order, file->key_signatures, file->key_signature_count, sizeof *file->key_signatures, why);
}

void midi_file_free(struct midi_file *file)
{
    free(file->notes);
    free(file->tracks);
    free(file->tempos);
    free(file->time_signatures);
    free(file->pedals);
    free(file->pitch_bends);
    free(file->controls);
    free(file->key_signatures);
    free(file->texts);
    free(file->open);
    free(file->open_next);
    free(file->open_pedals);
    free(file->open_bends);
    free(file->open_controls);
    free(file->track_reading);
    free(file->spans);
    free(file->turns);
    time_order_free(&file->order);
    *file = (struct midi_file){0};
}

static uint32_t tempo_now(const struct midi_clock *clock, const struct midi_file *file)
{
    return clock->passed > 0 ? file->tempos[clock->passed - 1].microseconds : MIDI_DEFAULT_TEMPO;
}

/* Whole microseconds times ticks per quarter: at most 2^31 * 2^24, so the sum is exact, and rounded once. */
static uint64_t microseconds_at(struct midi_clock *clock, const struct midi_file *file, int32_t tick)
{
    while (clock->passed < file->tempo_count && file->tempos[clock->passed].time < tick) {
        int32_t time = file->tempos[clock->passed].time;
        clock->microseconds += (uint64_t)(time - clock->since) * tempo_now(clock, file);
        clock->since = time;
        clock->passed++;
    }
    return clock->microseconds + (uint64_t)(tick - clock->since) * tempo_now(clock, file);
}

double midi_clock_seconds(struct midi_clock *clock, const struct midi_file *file, int32_t tick)
{
    if (file->ticks_per_second > 0)
        return tick / file->ticks_per_second;
    return (double)microseconds_at(clock, file, tick) / (file->ticks_per_quarter * 1e6);
}

double midi_seconds(const struct midi_file *file, int32_t tick)
{
    return midi_clock_seconds(&(struct midi_clock){0}, file, tick);
}

double midi_mean_tempo(const struct midi_file *file, int32_t tick)
{
    if (file->ticks_per_second > 0)
        return 60e6 / MIDI_DEFAULT_TEMPO;
    if (tick == 0)
        return 60e6 / (file->tempo_count > 0 ? file->tempos[0].microseconds : MIDI_DEFAULT_TEMPO);
    return 60e6 / ((double)microseconds_at(&(struct midi_clock){0}, file, tick) / tick);
}
