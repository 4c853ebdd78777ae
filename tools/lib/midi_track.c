#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "midi_chunk.h"
#include "note_endings.h"

#define SUSTAIN_PEDAL 64 /* the controller's number */

/* ---- events ---- */

static uint16_t new_track(struct midi_track_reading *track, unsigned channel)
{
    track->tracks[track->track_count] = (struct chunk_track){.at = NOBODY, .channel = (uint8_t)channel};
    return (uint16_t)track->track_count++;
}

static int is_known(const struct midi_track_reading *track, unsigned key)
{
    return track->known[key / 64] >> (key % 64) & 1;
}

/* The chunk's track of this channel with its program of now; made if there is none. */
static uint16_t find_track(struct midi_track_reading *track, unsigned channel)
{
    unsigned key = channel << 7 | track->program[channel];
    if (!is_known(track, key)) {
        uint16_t index = track->waiting[channel] != NO_TRACK ? track->waiting[channel] : new_track(track, channel);
        track->waiting[channel] = NO_TRACK;
        track->tracks[index].program = track->program[channel];
        track->track_of[key] = index;
        track->known[key / 64] |= UINT64_C(1) << (key % 64);
    }
    return track->track_of[key];
}

/* The same for what makes it stay. */
static uint16_t keep_track(struct midi_track_reading *track, unsigned channel)
{
    uint16_t index = track->now[channel] = find_track(track, channel);
    track->tracks[index].kept = 1;
    return index;
}

/* `open`: the file's, which the caller keeps at hand: behind the track it would be loaded anew for every note. There is room: see midi_track_read. */
static inline void start_note(struct midi_track_reading *track, struct midi_open_note *open, unsigned channel, uint8_t pitch, uint8_t velocity, int32_t time)
{
    uint16_t index = track->now[channel] != NO_TRACK ? track->now[channel] : keep_track(track, channel);
    uint32_t note = (uint32_t)track->open_count++; /* a chunk has below 2^32 bytes */
    open[note] = (struct midi_open_note){.start = time, .end = -1, .track = index, .channel = (uint8_t)channel, .pitch = pitch, .velocity = velocity};
    struct midi_sounding *sounding = &track->sounding[channel << 7 | pitch];
    if (sounding->first == NOBODY)
        sounding->first = note;
    else
        track->file->open_next[sounding->last] = note;
    sounding->last = note;
}

static inline void end_note(struct midi_track_reading *track, struct midi_open_note *open, unsigned channel, uint8_t pitch, int32_t time)
{
    struct midi_sounding *sounding = &track->sounding[channel << 7 | pitch];
    uint32_t note = sounding->first;
    if (note == NOBODY)
        return;
    open[note].end = time;
    track->tracks[open[note].track].notes++;
    sounding->first = note == sounding->last ? NOBODY : track->file->open_next[note];
}

/* A note-on of velocity 0 ends a note. */
static inline int starts_note(uint8_t status, const uint8_t *data)
{
    return status >> 4 == 0x9 && data[1] > 0;
}

/* A note-on or note-off. */
static inline void take_note(struct midi_track_reading *track, struct midi_open_note *open, uint8_t status, const uint8_t *data, int32_t time)
{
    if (starts_note(status, data))
        start_note(track, open, status & 15, data[0], data[1], time);
    else
        end_note(track, open, status & 15, data[0], time);
}

/* Where a controller or pitch bend belongs. It keeps its channel's track, even one without notes. */
static uint16_t controlled_track(struct midi_track_reading *track, unsigned channel)
{
    unsigned key = channel << 7 | track->program[channel];
    uint16_t index = track->now[channel];
    if (index == NO_TRACK && is_known(track, key))
        index = keep_track(track, channel);
    if (index == NO_TRACK && track->waiting[channel] == NO_TRACK)
        track->waiting[channel] = new_track(track, channel);
    if (index == NO_TRACK)
        index = track->waiting[channel];
    track->tracks[index].kept = 1;
    return index;
}

/* A pedal belongs to the track in which it is lifted. */
static int move_pedal(struct midi_track_reading *track, unsigned channel, uint16_t index, int down, int32_t time)
{
    struct midi_file *file = track->file;
    int32_t *since = &track->pedal_down[channel];
    if (down && *since < 0)
        *since = time;
    if (down || *since < 0)
        return 0;
    if (GROW(file->open_pedals, file->open_pedal_capacity, track->pedal_count + 1, track->reading->why) < 0)
        return -1;
    file->open_pedals[track->pedal_count++] = (struct midi_open_pedal){{*since, time - *since}, index};
    *since = -1;
    return 0;
}

static int bend_pitch(struct midi_track_reading *track, uint16_t index, const uint8_t *data, int32_t time)
{
    struct midi_file *file = track->file;
    if (GROW(file->open_bends, file->open_bend_capacity, track->bend_count + 1, track->reading->why) < 0)
        return -1;
    int16_t value = (int16_t)((data[1] << 7 | data[0]) - 8192);
    file->open_bends[track->bend_count++] = (struct midi_open_bend){{time, value}, index};
    return 0;
}

static int change_control(struct midi_track_reading *track, uint16_t index, const uint8_t *data, int32_t time)
{
    struct midi_file *file = track->file;
    if (GROW(file->open_controls, file->open_control_capacity, track->control_count + 1, track->reading->why) < 0)
        return -1;
    file->open_controls[track->control_count++] = (struct midi_open_control){{time, data[0], data[1]}, index};
    return 0;
}

static int add_to_endings(struct midi_track_reading *track, uint8_t status, const uint8_t *data, int32_t time)
{
    unsigned channel = status & 15;
    if (starts_note(status, data))
        return note_endings_start(track->endings, channel, data[0], data[1], time, track->reading->why);
    return note_endings_end(track->endings, channel, track->program[channel], data[0], time, track->reading->why);
}

static int channel_event(struct midi_track_reading *track, uint8_t status, const uint8_t *data, int32_t time)
{
    unsigned channel = status & 15;
    uint16_t index;
    switch (status >> 4) {
    case 0x8:
    case 0x9:
        if ((data[0] | data[1]) > 127)
            return midi_damaged(track->reading, data, "a note's pitch or velocity is above 127");
        if (track->endings && add_to_endings(track, status, data, time) < 0)
            return -1;
        take_note(track, track->file->open, status, data, time);
        return 0;
    case 0xb:
        if ((data[0] | data[1]) > 127)
            return midi_damaged(track->reading, data, "a controller's number or value is above 127");
        index = controlled_track(track, channel);
        if (track->file->want_control_changes && change_control(track, index, data, time) < 0)
            return -1;
        return track->file->want_controls && data[0] == SUSTAIN_PEDAL ? move_pedal(track, channel, index, data[1] >= 64, time) : 0;
    case 0xc:
        if (data[0] > 127)
            return midi_damaged(track->reading, data, "a program number is above 127");
        track->program[channel] = data[0];
        track->now[channel] = NO_TRACK;
        return 0;
    case 0xe:
        if (data[1] > 127)
            return midi_damaged(track->reading, data, "a pitch bend is above its range");
        index = controlled_track(track, channel);
        return track->file->want_controls ? bend_pitch(track, index, data, time) : 0;
    default: /* pressure: nothing is made of it */
        return 0;
    }
}

static int add_text(struct midi_track_reading *track, uint8_t type, const uint8_t *text, uint32_t length, int32_t time)
{
    struct midi_file *file = track->file;
    if (length == 0)
        return 0;
    if (GROW(file->texts, file->text_capacity, file->text_count + 1, track->reading->why) < 0)
        return -1;
    file->texts[file->text_count++] =
        (struct midi_text){.time = time, .length = length, .bytes = (const char *)text, .chunk = (uint16_t)track->reading->chunk, .kind = type};
    return 0;
}

static int meta_event(struct midi_track_reading *track, uint8_t type, const uint8_t *data, uint32_t length, int32_t time)
{
    enum { TEMPO = 0x51, TIME_SIGNATURE = 0x58, KEY_SIGNATURE = 0x59 };
    struct midi_file *file = track->file;
    struct reason *why = track->reading->why;
    switch (type) {
    case MIDI_LYRIC: /* an empty one makes a track that others may keep */
        if (length > 0)
            keep_track(track, MIDI_CHANNELS - 1);
        else
            find_track(track, MIDI_CHANNELS - 1);
        return add_text(track, type, data, length, time);
    case MIDI_TEXT: case MIDI_COPYRIGHT: case MIDI_TRACK_NAME: case MIDI_INSTRUMENT_NAME: case MIDI_MARKER: case MIDI_CUE_POINT:
        return add_text(track, type, data, length, time);
    case TEMPO:
        if (length < 3 || midi_big_endian(data, 3) == 0)
            return 0;
        if (GROW(file->tempos, file->tempo_capacity, file->tempo_count + 1, why) < 0)
            return -1;
        file->tempos[file->tempo_count++] = (struct midi_tempo){time, midi_big_endian(data, 3), (uint16_t)track->reading->chunk};
        return 0;
    case TIME_SIGNATURE:
        if (length < 2 || data[0] == 0 || data[1] > 7)
            return 0;
        if (GROW(file->time_signatures, file->time_signature_capacity, file->time_signature_count + 1, why) < 0)
            return -1;
        file->time_signatures[file->time_signature_count++] = (struct midi_time_signature){time, data[0], (uint8_t)(1 << data[1])};
        return 0;
    case KEY_SIGNATURE:
        if (length < 2 || (int8_t)data[0] < -7 || (int8_t)data[0] > 7 || data[1] > 1)
            return 0;
        if (GROW(file->key_signatures, file->key_signature_capacity, file->key_signature_count + 1, why) < 0)
            return -1;
        file->key_signatures[file->key_signature_count++] = (struct midi_key_signature){time, (int8_t)data[0], data[1]};
        return 0;
    default:
        return 0;
    }
}

/* NULL (reported) if the quantity is cut off or too long. */
static const uint8_t *variable_length(struct midi_track_reading *track, const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4 && at + i < end; i++) {
        sum = sum << 7 | (at[i] & 0x7f);
        if (at[i] < 0x80) {
            *value = sum;
            return at + i + 1;
        }
    }
    midi_damaged(track->reading, at, end - at < 4 ? "the track ends inside a variable-length quantity" : "a variable-length quantity has more than 4 bytes");
    return NULL;
}

/* Meta and system events, `at` behind the status byte. Returns where the next event begins, NULL (reported) on damage. */
static const uint8_t *system_event(struct midi_track_reading *track, uint8_t status, const uint8_t *at, const uint8_t *end, int32_t time)
{
    uint8_t type = 0;
    uint32_t length = 0;
    const uint8_t *start = at - 1;
    switch (status) {
    case 0xff:
        if (at == end) {
            midi_damaged(track->reading, start, "the track ends inside a meta event");
            return NULL;
        }
        type = *at++; /* fall through */
    case 0xf0:
    case 0xf7:
        at = variable_length(track, at, end, &length);
        if (!at)
            return NULL;
        break;
    case 0xf1:
    case 0xf3: length = 1; break;
    case 0xf2: length = 2; break;
    case 0xf4:
    case 0xf5:
    case 0xf9:
    case 0xfd: midi_damaged(track->reading, start, "an undefined status byte"); return NULL;
    default: break; /* tune request and real time: no data */
    }
    if (length > (size_t)(end - at)) {
        midi_damaged(track->reading, start, "an event's length reaches beyond its track");
        return NULL;
    }
    if (status == 0xff && type == 0x2f)
        return end;
    if (status == 0xff && meta_event(track, type, at, length, time) < 0)
        return NULL;
    return at + length;
}

/* Where a track's reading stands. */
struct position { int64_t time; uint8_t running; /* status, 0: none */ };

/* Reads what nearly all events are, up to the first that is something else or wrong, or stands near the end, and returns where that begins: times of one or two bytes, and
 * events with two bytes of data that need no more than a look: notes, key pressure, and controllers and pitch bends where they are not wanted and their track is kept. */
static const uint8_t *read_common_events(struct midi_track_reading *track, const uint8_t *at, const uint8_t *end, struct position *position)
{
    const int wanted = track->file->want_controls || track->file->want_control_changes;
    struct midi_open_note *const open = track->file->open;
    uint32_t time = (uint32_t)position->time;
    uint8_t running = position->running;
    while (end - at >= 5) { /* as many bytes as such an event has at most */
        const uint8_t *data = at + 1;
        uint32_t delta = at[0];
        if (delta >= 0x80) {
            if (at[1] >= 0x80)
                break;
            delta = (delta & 0x7f) << 7 | at[1];
            data++;
        }
        uint8_t status = running;
        if (*data >= 0x80)
            status = *data++;
        const unsigned kind = status >> 4;
        if (time + delta > INT32_MAX || (data[0] | data[1]) >= 0x80)
            break;
        if (kind == 0x8 || kind == 0x9)
            take_note(track, open, status, data, (int32_t)(time + delta));
        else if (kind != 0xa && ((kind != 0xb && kind != 0xe) || wanted || track->now[status & 15] == NO_TRACK))
            break;
        time += delta;
        running = status;
        at = data + 2;
    }
    *position = (struct position){time, running};
    return at;
}

/* Any event. Returns where the next one begins, NULL (reported) on damage. */
static const uint8_t *read_event(struct midi_track_reading *track, const uint8_t *at, const uint8_t *end, struct position *position)
{
    struct midi_reading *reading = track->reading;
    const uint8_t *event = at;
    uint32_t delta;
    if (!(at = variable_length(track, at, end, &delta)))
        return NULL;
    position->time += delta;
    if (position->time > INT32_MAX) {
        midi_damaged(reading, event, "the time is beyond 2147483647 ticks");
        return NULL;
    }
    if (at == end) {
        midi_damaged(reading, event, "the track ends inside an event");
        return NULL;
    }
    if (*at >= 0xf0)
        return system_event(track, *at, at + 1, end, (int32_t)position->time);
    if (*at >= 0x80) {
        position->running = *at++;
    } else if (position->running == 0) {
        midi_damaged(reading, at, "a data byte stands where an event must begin");
        return NULL;
    }
    int data = (position->running & 0xe0) == 0xc0 ? 1 : 2; /* program change and channel pressure have one byte */
    if (end - at < data) {
        midi_damaged(reading, event, "the track ends inside an event");
        return NULL;
    }
    return channel_event(track, position->running, at, (int32_t)position->time) < 0 ? NULL : at + data;
}

static int read_events(struct midi_track_reading *track, const uint8_t *at, const uint8_t *end)
{
    struct position position = {0};
    while (at < end) {
        if (!track->endings)
            at = read_common_events(track, at, end, &position);
        if (at < end && !(at = read_event(track, at, end, &position)))
            return -1;
    }
    return 0;
}

static void begin(struct midi_track_reading *track, struct midi_reading *reading)
{
    track->reading = reading;
    track->file = reading->file;
    track->endings = reading->file->endings;
    track->open_count = track->pedal_count = track->bend_count = track->control_count = track->track_count = 0;
    memset(track->program, 0, sizeof track->program);
    memset(track->now, 0xff, sizeof track->now);
    memset(track->waiting, 0xff, sizeof track->waiting);
    memset(track->pedal_down, 0, sizeof track->pedal_down); /* but for the first channel, as in symusic: see the header */
    track->pedal_down[0] = -1;
    memset(track->known, 0, sizeof track->known);
    if (reading->chunk == 0)
        memset(track->sounding, 0xff, sizeof track->sounding);
}

int midi_track_read(struct midi_reading *reading, const uint8_t *at, const uint8_t *end)
{
    struct midi_file *file = reading->file;
    if (!file->track_reading && !(file->track_reading = malloc(sizeof *file->track_reading)))
        return fail(reading->why, "out of memory (%zu bytes)", sizeof *file->track_reading);
    struct midi_track_reading *track = file->track_reading;
    /* A note takes three bytes at least, its time and two of its own. */
    const size_t most = (size_t)(end - at) / 3 + 1;
    if (GROW(file->open, file->open_capacity, most, reading->why) < 0 || GROW(file->open_next, file->open_next_capacity, most, reading->why) < 0)
        return -1;
    begin(track, reading);
    if (track->endings)
        note_endings_begin_chunk(track->endings);
    if (read_events(track, at, end) < 0 && !midi_is_forgiven(reading))
        return -1;
    return midi_place(track);
}
