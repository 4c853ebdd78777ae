#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "midi_reading.h"
#include "note_endings.h"

#define CHANNELS 16
#define KEYS (CHANNELS * 128) /* a channel and a pitch, or a channel and a program */
#define NOBODY UINT32_MAX
#define NO_TRACK UINT16_MAX
#define SUSTAIN_PEDAL 64 /* the controller's number */

/* A note of the chunk being read. `next` chains those of one channel and pitch that sound, the longest sounding first. */
struct midi_open_note {
    int32_t start, end; /* end: -1 while it sounds */
    uint32_t next;
    uint16_t track; /* of the chunk's tracks */
    uint8_t channel, pitch, velocity;
};

/* Pedals, pitch bends and control changes wait until the chunk's tracks are all known. */
struct midi_open_pedal { struct midi_pedal pedal; uint16_t track; };
struct midi_open_bend { struct midi_pitch_bend bend; uint16_t track; };
struct midi_open_control { struct midi_control control; uint16_t track; };

/* A track of the chunk. What a channel's controllers say before its first note waits in a track without a program, which the channel's next new track becomes. */
struct chunk_track {
    uint32_t notes, at; /* at: its place in the file's tracks, or NOBODY */
    uint8_t channel, program, kept;
};

struct midi_track_reading {
    struct midi_reading *reading;
    struct midi_file *file;
    struct midi_open_note *open; /* the file's */
    struct note_endings *endings; /* the file's, or NULL */
    size_t open_count, pedal_count, bend_count, control_count, track_count;
    uint8_t program[CHANNELS];
    uint16_t now[CHANNELS];       /* the track of the channel's program of now, or NO_TRACK: not looked up yet */
    uint16_t waiting[CHANNELS];   /* the track without a program, or NO_TRACK */
    int32_t pedal_down[CHANNELS]; /* since when, or -1 */
    uint64_t known[KEYS / 64];    /* bits: which entries of track_of hold */
    uint16_t track_of[KEYS];      /* by channel and program */
    uint32_t first[KEYS];         /* the longest sounding note by channel and pitch, or NOBODY, as they all are between chunks */
    uint32_t last[KEYS];          /* the note that began last, where one sounds */
    struct chunk_track tracks[KEYS + CHANNELS];
};

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
    return track->now[channel] = track->track_of[key];
}

/* There is room: see midi_track_read. */
static void start_note(struct midi_track_reading *track, unsigned channel, uint8_t pitch, uint8_t velocity, int32_t time)
{
    struct midi_open_note *open = track->open;
    uint16_t index = track->now[channel] != NO_TRACK ? track->now[channel] : find_track(track, channel);
    track->tracks[index].kept = 1;
    unsigned key = channel << 7 | pitch;
    uint32_t note = (uint32_t)track->open_count++; /* a chunk has below 2^32 bytes */
    open[note] = (struct midi_open_note){
        .start = time, .end = -1, .next = NOBODY, .track = index, .channel = (uint8_t)channel, .pitch = pitch, .velocity = velocity};
    if (track->first[key] == NOBODY)
        track->first[key] = note;
    else
        open[track->last[key]].next = note;
    track->last[key] = note;
}

static void end_note(struct midi_track_reading *track, unsigned channel, uint8_t pitch, int32_t time)
{
    uint32_t *first = &track->first[channel << 7 | pitch];
    if (*first == NOBODY)
        return;
    struct midi_open_note *note = &track->open[*first];
    note->end = time;
    track->tracks[note->track].notes++;
    *first = note->next;
}

/* Where a controller or pitch bend belongs. It keeps its channel's track, even one without notes. */
static uint16_t controlled_track(struct midi_track_reading *track, unsigned channel)
{
    unsigned key = channel << 7 | track->program[channel];
    uint16_t index = track->now[channel];
    if (index == NO_TRACK && is_known(track, key))
        index = find_track(track, channel);
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
    if (status >> 4 == 0x9 && data[1] > 0)
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
        if (status >> 4 == 0x9 && data[1] > 0)
            start_note(track, channel, data[0], data[1], time);
        else
            end_note(track, channel, data[0], time);
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
    case MIDI_LYRIC: {
        uint16_t index = find_track(track, CHANNELS - 1);
        if (length > 0)
            track->tracks[index].kept = 1;
        return add_text(track, type, data, length, time);
    }
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

static int read_events(struct midi_track_reading *track, const uint8_t *at, const uint8_t *end)
{
    struct midi_reading *reading = track->reading;
    int64_t time = 0;
    uint8_t running = 0;
    while (at < end) {
        uint32_t delta;
        const uint8_t *event = at;
        if (*at < 0x80) /* nearly always */
            delta = *at++;
        else if (!(at = variable_length(track, at, end, &delta)))
            return -1;
        time += delta;
        if (time > INT32_MAX)
            return midi_damaged(reading, event, "the time is beyond 2147483647 ticks");
        if (at == end)
            return midi_damaged(reading, event, "the track ends inside an event");
        uint8_t status = *at;
        if (status >= 0xf0) {
            at = system_event(track, status, at + 1, end, (int32_t)time);
            if (!at)
                return -1;
            continue;
        }
        if (status >= 0x80) {
            running = status;
            at++;
        } else if (running == 0) {
            return midi_damaged(reading, at, "a data byte stands where an event must begin");
        }
        int data = (running & 0xe0) == 0xc0 ? 1 : 2; /* program change and channel pressure have one byte */
        if (end - at < data)
            return midi_damaged(reading, event, "the track ends inside an event");
        if (channel_event(track, running, at, (int32_t)time) < 0)
            return -1;
        at += data;
    }
    return 0;
}

/* ---- the chunk's end: what was read goes to its tracks ---- */

/* Adds the chunk's tracks to the file's, by channel and program, and moves the ended notes there. */
static int place_notes(struct midi_track_reading *track)
{
    struct midi_file *file = track->file;
    struct reason *why = track->reading->why;
    size_t place[KEYS + CHANNELS], total = file->note_count;
    for (unsigned word = 0; word < KEYS / 64; word++)
        for (uint64_t rest = track->known[word]; rest; rest &= rest - 1) {
            uint16_t index = track->track_of[word * 64 + (unsigned)__builtin_ctzll(rest)];
            struct chunk_track *from = &track->tracks[index];
            if (!from->kept)
                continue;
            if (GROW(file->tracks, file->track_capacity, file->track_count + 1, why) < 0)
                return -1;
            from->at = (uint32_t)file->track_count;
            file->tracks[file->track_count++] =
                (struct midi_track){.first_note = total, .note_count = from->notes, .chunk = (uint16_t)track->reading->chunk, .channel = from->channel, .program = from->program};
            place[index] = total;
            total += from->notes;
        }
    if (GROW(file->notes, file->note_capacity, total + 1, why) < 0) /* never NULL where there is a track */
        return -1;
    for (size_t i = 0; i < track->open_count; i++) {
        const struct midi_open_note *note = &file->open[i];
        if (note->end >= 0)
            file->notes[place[note->track]++] = (struct midi_note){note->start, note->end - note->start, note->pitch, note->velocity};
        else
            track->first[note->channel << 7 | note->pitch] = NOBODY;
    }
    file->note_count = total;
    return 0;
}

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

static void begin(struct midi_track_reading *track, struct midi_reading *reading)
{
    track->reading = reading;
    track->file = reading->file;
    track->open = reading->file->open;
    track->endings = reading->file->endings;
    track->open_count = track->pedal_count = track->bend_count = track->control_count = track->track_count = 0;
    memset(track->program, 0, sizeof track->program);
    memset(track->now, 0xff, sizeof track->now);
    memset(track->waiting, 0xff, sizeof track->waiting);
    memset(track->pedal_down, 0, sizeof track->pedal_down); /* but for the first channel, as in symusic: see the header */
    track->pedal_down[0] = -1;
    memset(track->known, 0, sizeof track->known);
    if (reading->chunk == 0)
        memset(track->first, 0xff, sizeof track->first);
}

int midi_track_read(struct midi_reading *reading, const uint8_t *at, const uint8_t *end)
{
    struct midi_file *file = reading->file;
    if (!file->track_reading && !(file->track_reading = malloc(sizeof *file->track_reading)))
        return fail(reading->why, "out of memory (%zu bytes)", sizeof *file->track_reading);
    struct midi_track_reading *track = file->track_reading;
    size_t first = file->track_count;
    /* A note takes three bytes at least, its time and two of its own. */
    if (GROW(file->open, file->open_capacity, (size_t)(end - at) / 3 + 1, reading->why) < 0)
        return -1;
    begin(track, reading);
    if (track->endings)
        note_endings_begin_chunk(track->endings);
    if (read_events(track, at, end) < 0 && !midi_is_forgiven(reading))
        return -1;
    if (place_notes(track) < 0)
        return -1;
    if (file->want_control_changes && place_controls(track, first) < 0)
        return -1;
    if (!file->want_controls)
        return 0;
    return place_pedals(track, first) < 0 ? -1 : place_bends(track, first);
}
