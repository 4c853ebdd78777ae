#include "midi_file.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define CHANNELS 16
#define KEYS (CHANNELS * 128) /* a channel and a pitch, or a channel and a program */
#define NOBODY UINT32_MAX

/* A note of the chunk being read. `next` chains those of one channel and pitch that sound, the longest sounding first. */
struct midi_open_note {
    int32_t start, end; /* end: -1 while it sounds */
    uint32_t next;
    uint16_t track; /* of chunk_tracks */
    uint8_t pitch, velocity;
};

struct bits { uint64_t word[KEYS / 64]; };

struct chunk_track { uint32_t notes; uint8_t channel, program, kept; };

struct reading {
    struct midi_file *file;
    const uint8_t *bytes, *end;
    struct reason *why;

    /* the chunk being read */
    size_t open_count, track_count, chunk;
    uint8_t program[CHANNELS];
    uint8_t controlled[CHANNELS];     /* had a controller or pitch bend that belongs to no track yet */
    struct bits sounding, known;      /* which entries of the queues, and of track_of, hold */
    uint32_t first[KEYS], last[KEYS]; /* of the queue of open notes by channel and pitch */
    uint16_t track_of[KEYS];          /* by channel and program */
    struct chunk_track tracks[KEYS];
};

static int has(const struct bits *bits, unsigned key)
{
    return bits->word[key / 64] >> (key % 64) & 1;
}

static void set(struct bits *bits, unsigned key)
{
    bits->word[key / 64] |= UINT64_C(1) << (key % 64);
}

static void unset(struct bits *bits, unsigned key)
{
    bits->word[key / 64] &= ~(UINT64_C(1) << (key % 64));
}

static int damaged(const struct reading *reading, const uint8_t *at, const char *what)
{
    return fail(reading->why, "byte %zu: %s", (size_t)(at - reading->bytes), what);
}

static uint32_t big_endian(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* ---- events ---- */

/* The chunk's track of this channel with its program of now; made if there is none. */
static uint16_t track_now(struct reading *reading, unsigned channel)
{
    unsigned key = channel << 7 | reading->program[channel];
    if (!has(&reading->known, key)) {
        set(&reading->known, key);
        reading->tracks[reading->track_count] =
            (struct chunk_track){.channel = (uint8_t)channel, .program = reading->program[channel], .kept = reading->controlled[channel]};
        reading->track_of[key] = (uint16_t)reading->track_count++;
        reading->controlled[channel] = 0;
    }
    return reading->track_of[key];
}

static int start_note(struct reading *reading, unsigned channel, uint8_t pitch, uint8_t velocity, int32_t time)
{
    struct midi_file *file = reading->file;
    if (GROW(file->open, file->open_capacity, reading->open_count + 1, reading->why) < 0)
        return -1;
    uint16_t track = track_now(reading, channel);
    reading->tracks[track].kept = 1;
    unsigned key = channel << 7 | pitch;
    uint32_t note = (uint32_t)reading->open_count++;
    file->open[note] = (struct midi_open_note){.start = time, .end = -1, .next = NOBODY, .track = track, .pitch = pitch, .velocity = velocity};
    if (has(&reading->sounding, key))
        file->open[reading->last[key]].next = note;
    else
        reading->first[key] = note;
    reading->last[key] = note;
    set(&reading->sounding, key);
    return 0;
}

static void end_note(struct reading *reading, unsigned channel, uint8_t pitch, int32_t time)
{
    unsigned key = channel << 7 | pitch;
    if (!has(&reading->sounding, key))
        return;
    struct midi_open_note *note = &reading->file->open[reading->first[key]];
    note->end = time;
    reading->tracks[note->track].notes++;
    if (note->next == NOBODY)
        unset(&reading->sounding, key);
    else
        reading->first[key] = note->next;
}

/* A controller or pitch bend keeps its channel's track, even one without notes. */
static void note_control(struct reading *reading, unsigned channel)
{
    unsigned key = channel << 7 | reading->program[channel];
    if (has(&reading->known, key))
        reading->tracks[reading->track_of[key]].kept = 1;
    else
        reading->controlled[channel] = 1;
}

static int channel_event(struct reading *reading, uint8_t status, const uint8_t *data, int32_t time)
{
    unsigned channel = status & 15;
    switch (status >> 4) {
    case 0x8:
    case 0x9:
        if ((data[0] | data[1]) > 127)
            return damaged(reading, data, "a note's pitch or velocity is above 127");
        if (status >> 4 == 0x9 && data[1] > 0)
            return start_note(reading, channel, data[0], data[1], time);
        end_note(reading, channel, data[0], time);
        return 0;
    case 0xb:
        if ((data[0] | data[1]) > 127)
            return damaged(reading, data, "a controller's number or value is above 127");
        note_control(reading, channel);
        return 0;
    case 0xc:
        if (data[0] > 127)
            return damaged(reading, data, "a program number is above 127");
        reading->program[channel] = data[0];
        return 0;
    case 0xe:
        if (data[1] > 127)
            return damaged(reading, data, "a pitch bend is above its range");
        note_control(reading, channel);
        return 0;
    default: /* pressure: nothing is made of it */
        return 0;
    }
}

static int is_blank(uint8_t c)
{
    return c <= ' ' || c == 0x7f;
}

static void take_title(struct midi_file *file, const uint8_t *text, size_t length)
{
    while (length > 0 && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    if (length > 0) {
        file->title = (const char *)text;
        file->title_length = length;
    }
}

static int meta_event(struct reading *reading, uint8_t type, const uint8_t *data, size_t length, int32_t time)
{
    enum { TRACK_NAME = 0x03, LYRIC = 0x05, TEMPO = 0x51, TIME_SIGNATURE = 0x58 };
    struct midi_file *file = reading->file;
    switch (type) {
    case TRACK_NAME:
        if (reading->chunk == 0 && !file->title)
            take_title(file, data, length);
        return 0;
    case LYRIC: {
        uint16_t track = track_now(reading, CHANNELS - 1);
        if (length > 0)
            reading->tracks[track].kept = 1;
        return 0;
    }
    case TEMPO:
        if (length < 3 || big_endian(data, 3) == 0)
            return 0;
        if (GROW(file->tempos, file->tempo_capacity, file->tempo_count + 1, reading->why) < 0)
            return -1;
        file->tempos[file->tempo_count++] = (struct midi_tempo){time, big_endian(data, 3)};
        return 0;
    case TIME_SIGNATURE:
        if (length < 2 || data[0] == 0 || data[1] > 7)
            return 0;
        if (GROW(file->time_signatures, file->time_signature_capacity, file->time_signature_count + 1, reading->why) < 0)
            return -1;
        file->time_signatures[file->time_signature_count++] = (struct midi_time_signature){time, data[0], (uint8_t)(1 << data[1])};
        return 0;
    default:
        return 0;
    }
}

/* ---- chunks ---- */

/* NULL (reported) if the quantity is cut off or too long. */
static const uint8_t *variable_length(struct reading *reading, const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4 && at + i < end; i++) {
        sum = sum << 7 | (at[i] & 0x7f);
        if (at[i] < 0x80) {
            *value = sum;
            return at + i + 1;
        }
    }
    damaged(reading, at, end - at < 4 ? "the track ends inside a variable-length quantity" : "a variable-length quantity has more than 4 bytes");
    return NULL;
}

/* Meta and system events, `at` behind the status byte. Returns where the next event begins, NULL (reported) on damage. */
static const uint8_t *system_event(struct reading *reading, uint8_t status, const uint8_t *at, const uint8_t *end, int32_t time)
{
    uint8_t type = 0;
    uint32_t length = 0;
    const uint8_t *start = at - 1;
    switch (status) {
    case 0xff:
        if (at == end) {
            damaged(reading, start, "the track ends inside a meta event");
            return NULL;
        }
        type = *at++; /* fall through */
    case 0xf0:
    case 0xf7:
        at = variable_length(reading, at, end, &length);
        if (!at)
            return NULL;
        break;
    case 0xf1:
    case 0xf3: length = 1; break;
    case 0xf2: length = 2; break;
    case 0xf4:
    case 0xf5:
    case 0xf9:
    case 0xfd: damaged(reading, start, "an undefined status byte"); return NULL;
    default: break; /* tune request and real time: no data */
    }
    if (length > (size_t)(end - at)) {
        damaged(reading, start, "an event's length reaches beyond its track");
        return NULL;
    }
    if (status == 0xff && type == 0x2f)
        return end;
    if (status == 0xff && meta_event(reading, type, at, length, time) < 0)
        return NULL;
    return at + length;
}

static int read_events(struct reading *reading, const uint8_t *at, const uint8_t *end)
{
    int64_t time = 0;
    uint8_t running = 0;
    while (at < end) {
        uint32_t delta;
        const uint8_t *event = at;
        if (*at < 0x80) /* nearly always */
            delta = *at++;
        else if (!(at = variable_length(reading, at, end, &delta)))
            return -1;
        time += delta;
        if (time > INT32_MAX)
            return damaged(reading, event, "the time is beyond 2147483647 ticks");
        if (at == end)
            return damaged(reading, event, "the track ends inside an event");
        uint8_t status = *at;
        if (status >= 0xf0) {
            at = system_event(reading, status, at + 1, end, (int32_t)time);
            if (!at)
                return -1;
            continue;
        }
        if (status >= 0x80) {
            running = status;
            at++;
        } else if (running == 0) {
            return damaged(reading, at, "a data byte stands where an event must begin");
        }
        int data = (running & 0xe0) == 0xc0 ? 1 : 2; /* program change and channel pressure have one byte */
        if (end - at < data)
            return damaged(reading, event, "the track ends inside an event");
        if (channel_event(reading, running, at, (int32_t)time) < 0)
            return -1;
        at += data;
    }
    return 0;
}

/* Moves the chunk's ended notes to their tracks, by channel and program. */
static int place_notes(struct reading *reading)
{
    struct midi_file *file = reading->file;
    size_t place[KEYS], total = file->note_count;
    for (unsigned word = 0; word < KEYS / 64; word++)
        for (uint64_t rest = reading->known.word[word]; rest; rest &= rest - 1) {
            uint16_t index = reading->track_of[word * 64 + (unsigned)__builtin_ctzll(rest)];
            const struct chunk_track *track = &reading->tracks[index];
            if (!track->kept)
                continue;
            if (GROW(file->tracks, file->track_capacity, file->track_count + 1, reading->why) < 0)
                return -1;
            file->tracks[file->track_count++] = (struct midi_track){total, track->notes, track->channel, track->program};
            place[index] = total;
            total += track->notes;
        }
    if (GROW(file->notes, file->note_capacity, total, reading->why) < 0)
        return -1;
    for (size_t i = 0; i < reading->open_count; i++) {
        const struct midi_open_note *note = &file->open[i];
        if (note->end >= 0)
            file->notes[place[note->track]++] = (struct midi_note){note->start, note->end - note->start, note->pitch, note->velocity};
    }
    file->note_count = total;
    return 0;
}

static int read_track(struct reading *reading, const uint8_t *at, const uint8_t *end)
{
    reading->open_count = reading->track_count = 0;
    memset(reading->program, 0, sizeof reading->program);
    memset(reading->controlled, 0, sizeof reading->controlled);
    memset(&reading->sounding, 0, sizeof reading->sounding);
    memset(&reading->known, 0, sizeof reading->known);
    if (read_events(reading, at, end) < 0 || place_notes(reading) < 0)
        return -1;
    reading->chunk++;
    return 0;
}

static int read_chunks(struct reading *reading, const uint8_t *at, size_t tracks)
{
    while (reading->chunk < tracks && at < reading->end) {
        size_t left = (size_t)(reading->end - at);
        int is_track = memcmp(at, "MTrk", left < 4 ? left : 4) == 0;
        if (left < 8) {
            if (is_track)
                return damaged(reading, at, "the file ends inside a track's header: it is truncated");
            return 0; /* too little for a chunk */
        }
        size_t length = big_endian(at + 4, 4);
        if (length > left - 8)
            return fail(reading->why, "byte %zu: the file is truncated: a chunk of %zu bytes begins here, %zu are left", (size_t)(at - reading->bytes),
                        length, left - 8);
        if (is_track && read_track(reading, at + 8, at + 8 + length) < 0)
            return -1;
        at += 8 + length;
    }
    return 0;
}

/* ---- the file ---- */

/* Steps into a RIFF RMID wrapper: where its data chunk begins, or NULL (reported). */
static const uint8_t *unwrap(struct reading *reading)
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

static int read_division(struct reading *reading, const uint8_t *at)
{
    struct midi_file *file = reading->file;
    unsigned division = big_endian(at, 2);
    if (division == 0)
        return damaged(reading, at, "the division is 0 ticks per quarter note");
    if (division < 0x8000) {
        file->ticks_per_quarter = division;
        return 0;
    }
    unsigned frames = 256 - (division >> 8), ticks = division & 0xff;
    if ((frames != 24 && frames != 25 && frames != 29 && frames != 30) || ticks == 0)
        return damaged(reading, at, "an SMPTE division of neither 24, 25, 29 nor 30 frames, or of no ticks per frame");
    file->ticks_per_second = (frames == 29 ? 30000.0 / 1001.0 : frames) * ticks; /* 29 stands for 29.97 */
    file->ticks_per_quarter = file->ticks_per_second / 2;
    return 0;
}

static int read_file(struct reading *reading)
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
        return damaged(reading, at, "the file ends inside its header: it is truncated");
    size_t length = big_endian(at + 4, 4);
    if (length < 6 || length > left - 8)
        return damaged(reading, at + 4, "the header's length is below 6 or beyond the file");
    reading->file->format = (int)big_endian(at + 8, 2);
    if (reading->file->format > 2)
        return damaged(reading, at + 8, "the format is not 0, 1 or 2");
    if (read_division(reading, at + 12) < 0)
        return -1;
    return read_chunks(reading, at + 8 + length, big_endian(at + 10, 2));
}

int midi_file_read(const uint8_t *bytes, size_t count, struct midi_file *file, struct reason *why)
{
    struct reading reading;
    reading.file = file;
    reading.bytes = bytes;
    reading.end = bytes + count;
    reading.why = why;
    reading.chunk = 0;
    file->note_count = file->track_count = file->tempo_count = file->time_signature_count = 0;
    file->title = NULL;
    file->title_length = 0;
    file->ticks_per_second = 0;
    if (read_file(&reading) < 0)
        return -1;
    if (time_order_structs(&file->order, file->tempos, file->tempo_count, sizeof *file->tempos, why) < 0)
        return -1;
    return time_order_structs(&file->order, file->time_signatures, file->time_signature_count, sizeof *file->time_signatures, why);
}

void midi_file_free(struct midi_file *file)
{
    free(file->notes);
    free(file->tracks);
    free(file->tempos);
    free(file->time_signatures);
    free(file->open);
    time_order_free(&file->order);
    *file = (struct midi_file){0};
}

double midi_seconds(const struct midi_file *file, int32_t tick)
{
    if (file->ticks_per_second > 0)
        return tick / file->ticks_per_second;
    /* Whole microseconds times ticks: at most 2^31 * 2^24, so the sum is exact and rounded once. */
    uint64_t sum = 0;
    uint32_t tempo = MIDI_DEFAULT_TEMPO;
    int32_t since = 0;
    for (size_t i = 0; i < file->tempo_count && file->tempos[i].time < tick; i++) {
        sum += (uint64_t)(file->tempos[i].time - since) * tempo;
        tempo = file->tempos[i].microseconds;
        since = file->tempos[i].time;
    }
    sum += (uint64_t)(tick - since) * tempo;
    return (double)sum / (file->ticks_per_quarter * 1e6);
}

int32_t midi_last_end(const struct midi_file *file)
{
    int32_t last = 0;
    for (size_t i = 0; i < file->note_count; i++)
        if (file->notes[i].start + file->notes[i].duration > last)
            last = file->notes[i].start + file->notes[i].duration;
    return last;
}
