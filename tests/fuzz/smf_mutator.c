/* A mutator for libFuzzer that knows Standard MIDI Files: most of what it makes is read to the end, so that the reader's depths are reached and not its first
 * checks alone. It takes a file apart into events, changes some, and writes it again with lengths that agree; of nothing it makes a file. Now and then
 * it leaves a length wrong, wraps the file (RIFF, gzip), or lets libFuzzer change plain bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Bytes at the end of an input that are no part of the file. */
extern const size_t fuzz_trailer_size;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

enum { MOST_EVENTS = 4096, MOST_TRACKS = 24, MOST_PAYLOAD = 64 };

struct event {
    uint32_t delta;
    uint8_t status, track;
    uint8_t running; /* written without its status byte where that is possible */
    uint16_t length; /* data, behind the status byte */
    const uint8_t *data;
};

struct song {
    unsigned format, division, tracks;
    size_t count;
    struct event events[MOST_EVENTS];      /* track by track */
    uint8_t payload[MOST_EVENTS][MOST_PAYLOAD]; /* of events made here */
};

static uint64_t state;

static uint32_t number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static uint32_t below(uint32_t most)
{
    return number() % most;
}

static int one_in(uint32_t chances)
{
    return below(chances) == 0;
}

/* ---- taking a file apart ---- */

static size_t quantity(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 4 && at + i < end; i++) {
        *value = *value << 7 | (at[i] & 0x7f);
        if (at[i] < 0x80)
            return i + 1;
    }
    return 0;
}

static void take_events(struct song *song, const uint8_t *at, const uint8_t *end)
{
    uint8_t running = 0;
    while (at < end && song->count < MOST_EVENTS) {
        struct event event = {.track = (uint8_t)song->tracks};
        size_t used = quantity(at, end, &event.delta);
        if (used == 0 || at + used == end)
            return;
        at += used;
        event.status = *at >= 0x80 ? *at : running;
        event.running = *at < 0x80;
        if (event.status == 0)
            return;
        at += *at >= 0x80;
        uint32_t length = (event.status & 0xe0) == 0xc0 ? 1 : 2, head = 0;
        if (event.status == 0xff || event.status == 0xf0 || event.status == 0xf7) {
            head = event.status == 0xff;
            if (at + head >= end || (used = quantity(at + head, end, &length)) == 0)
                return;
            head += (uint32_t)used;
        } else if (event.status > 0xf0) {
            length = event.status == 0xf2 ? 2 : event.status == 0xf1 || event.status == 0xf3;
        } else {
            running = event.status;
        }
        if (length > (size_t)(end - at) - head || length + head > UINT16_MAX)
            return;
        event.data = at;
        event.length = (uint16_t)(head + length);
        song->events[song->count++] = event;
        at += event.length;
    }
}

static int take_apart(struct song *song, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *at = memmem(data, size, "MThd", 4);
    song->count = song->tracks = 0;
    if (!at || end - at < 14)
        return 0;
    song->format = at[9];
    song->division = (unsigned)at[12] << 8 | at[13];
    for (at += 14; (at = memmem(at, (size_t)(end - at), "MTrk", 4)) && end - at >= 8 && song->tracks < MOST_TRACKS;) {
        size_t length = (size_t)at[4] << 24 | (size_t)at[5] << 16 | (size_t)at[6] << 8 | at[7], left = (size_t)(end - at) - 8;
        at += 8;
        take_events(song, at, at + (length < left ? length : left));
        song->tracks++;
    }
    return song->tracks > 0;
}

/* ---- changing it ---- */

static uint32_t some_delta(void)
{
    switch (below(8)) {
    case 0: return below(1u << 28);
    case 1: return 1u << below(28);
    case 2: return below(20000);
    case 3: case 4: return 0;
    default: return below(16) * 30;
    }
}

static struct event meta(uint8_t *payload, uint8_t type, const uint8_t *data, uint8_t length)
{
    payload[0] = type;
    payload[1] = length;
    memcpy(payload + 2, data, length);
    return (struct event){.status = 0xff, .length = (uint16_t)(length + 2), .data = payload};
}

static struct event some_meta(uint8_t *payload)
{
    static const uint8_t types[] = {1, 2, 3, 4, 5, 5, 6, 7, 0x20, 0x21, 0x51, 0x51, 0x54, 0x58, 0x58, 0x58, 0x59, 0x7f, 0x2f};
    uint8_t bytes[MOST_PAYLOAD], type = types[below(sizeof types)];
    uint8_t length = type == 0x51 ? 3 : type == 0x58 ? 4 : type == 0x59 ? 2 : type == 0x2f ? 0 : (uint8_t)below(24);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(one_in(6) ? number() : 'a' + below(26));
    if (type == 0x58) {
        bytes[0] = (uint8_t)(one_in(8) ? number() : 1 + below(13));
        bytes[1] = (uint8_t)(one_in(8) ? number() : below(5));
    } else if (type == 0x59) {
        bytes[0] = (uint8_t)(below(17) - 8);
        bytes[1] = (uint8_t)below(3);
    } else if (type == 0x51) {
        bytes[0] = (uint8_t)below(one_in(4) ? 256 : 20);
    }
    return meta(payload, type, bytes, (uint8_t)(one_in(16) ? below(8) : length));
}

static struct event some_event(uint8_t *payload, unsigned track)
{
    static const uint8_t controllers[] = {64, 64, 64, 7, 0, 32, 66, 121, 123};
    static uint8_t pitch; /* the next note-off shall meet its note-on, most times */
    uint8_t channel = (uint8_t)(one_in(3) ? below(16) : one_in(4) ? 9 : track & 15);
    struct event event = {.length = 2, .data = payload, .running = (uint8_t)one_in(2)};
    payload[0] = (uint8_t)below(128);
    payload[1] = (uint8_t)below(128);
    switch (below(16)) {
    case 0: case 1: case 2: case 3: case 4:
        event.status = 0x90 | channel;
        pitch = payload[0] = (uint8_t)(one_in(4) ? below(128) : 55 + below(12));
        break;
    case 5: case 6: case 7:
        event.status = (one_in(2) ? 0x80 : 0x90) | channel;
        payload[0] = one_in(4) ? (uint8_t)(55 + below(12)) : pitch;
        payload[1] = (uint8_t)(event.status < 0x90 ? below(128) : 0);
        break;
    case 8: event.status = 0xb0 | channel, payload[0] = controllers[below(sizeof controllers)]; break;
    case 9: event.status = 0xc0 | channel, event.length = 1, payload[0] = (uint8_t)below(one_in(2) ? 4 : 128); break;
    case 10: event.status = 0xe0 | channel; break;
    case 11: event.status = (one_in(2) ? 0xa0 : 0xd0) | channel, event.length = event.status < 0xb0 ? 2 : 1; break;
    case 12:
        event.status = one_in(2) ? 0xf0 : 0xf7;
        payload[0] = (uint8_t)below(MOST_PAYLOAD - 1);
        event.length = (uint16_t)(1 + payload[0]);
        break;
    case 13: event.status = (uint8_t)(0xf1 + below(14)), event.length = event.status == 0xf2 ? 2 : event.status == 0xf1 || event.status == 0xf3; break;
    default: event = some_meta(payload); break;
    }
    event.delta = some_delta();
    event.track = (uint8_t)track;
    return event;
}

static void insert(struct song *song, size_t at, struct event event)
{
    if (song->count == MOST_EVENTS)
        return;
    memmove(song->events + at + 1, song->events + at, (song->count - at) * sizeof event);
    song->events[at] = event;
    song->count++;
}

/* The event's data in its payload, where it may be changed. */
static uint8_t *own_data(struct song *song, size_t at)
{
    struct event *event = &song->events[at];
    uint8_t *payload = song->payload[at];
    if (event->length > MOST_PAYLOAD)
        return NULL;
    memmove(payload, event->data, event->length);
    event->data = payload;
    return payload;
}

static void change_one(struct song *song)
{
    size_t at = song->count > 0 ? below((uint32_t)song->count) : 0;
    struct event *event = &song->events[at];
    switch (song->count == 0 ? 0 : below(9)) {
    case 0: case 1: { /* a free payload: that of the event behind the last */
        struct event made = some_event(song->payload[song->count < MOST_EVENTS ? song->count : MOST_EVENTS - 1], song->count > 0 ? event->track : 0);
        insert(song, at, made);
        break;
    }
    case 2:
        memmove(event, event + 1, (--song->count - at) * sizeof *event);
        break;
    case 3: insert(song, at, *event); break;
    case 4: event->delta = some_delta(); break;
    case 5: if (event->status < 0xf0) event->status = (uint8_t)((event->status & 0xf0) | below(16)); break;
    case 6: event->running ^= 1; break;
    case 7: { /* other data; its bytes stay below 128 most times */
        uint8_t *data = own_data(song, at);
        if (data && event->length > 0)
            data[below(event->length)] = (uint8_t)below(one_in(8) ? 256 : 128);
        break;
    }
    default: { /* to another place */
        struct event moved = *event;
        size_t to = below((uint32_t)song->count);
        moved.track = song->events[to].track;
        memmove(event, event + 1, (song->count - 1 - at) * sizeof *event);
        song->count--;
        insert(song, to < song->count ? to : song->count, moved);
        break;
    }
    }
}

static void change_header(struct song *song)
{
    static const unsigned divisions[] = {1, 2, 8, 24, 96, 120, 220, 480, 960, 32767, 0xe728, 0xe804, 0xe350};
    switch (below(4)) {
    case 0: song->division = divisions[below(sizeof divisions / sizeof *divisions)]; break;
    case 1: song->division = number() & 0xffff; break;
    case 2: song->format = below(3); break;
    default: song->tracks = song->tracks < MOST_TRACKS ? song->tracks + 1 : 1; break;
    }
}

/* ---- writing it again ---- */

struct out { uint8_t *bytes; size_t count, most; };

static void put(struct out *out, const void *bytes, size_t count)
{
    if (count <= out->most - out->count) {
        memcpy(out->bytes + out->count, bytes, count);
        out->count += count;
    }
}

static void put_big_endian(struct out *out, uint32_t value, int bytes)
{
    while (bytes-- > 0)
        put(out, &(uint8_t){(uint8_t)(value >> (8 * bytes))}, 1);
}

static void put_quantity(struct out *out, uint32_t value)
{
    for (int shift = 21; shift > 0; shift -= 7)
        if (value >> shift)
            put(out, &(uint8_t){(uint8_t)(0x80 | (value >> shift & 0x7f))}, 1);
    put(out, &(uint8_t){value & 0x7f}, 1);
}

static size_t put_together(const struct song *song, uint8_t *data, size_t most)
{
    struct out out = {data, 0, most};
    size_t next = 0;
    put(&out, "MThd\0\0\0\6", 8);
    put_big_endian(&out, song->format, 2);
    put_big_endian(&out, one_in(20) ? below(4) : song->tracks, 2);
    put_big_endian(&out, song->division, 2);
    for (unsigned track = 0; track < song->tracks; track++) {
        size_t head = out.count;
        uint8_t running = 0;
        put(&out, "MTrk\0\0\0\0", 8);
        for (; next < song->count && song->events[next].track <= track; next++) {
            const struct event *event = &song->events[next];
            if (most - out.count < (size_t)event->length + 16)
                continue;
            put_quantity(&out, event->delta);
            if (!event->running || event->status != running)
                put(&out, &event->status, 1);
            put(&out, event->data, event->length);
            running = event->status < 0xf0 ? event->status : running;
        }
        if (!one_in(8))
            put(&out, "\0\xff\x2f\0", 4);
        uint32_t length = (uint32_t)(out.count - head - 8);
        struct out place = {data, head + 4, most};
        if (head + 8 <= out.count)
            put_big_endian(&place, one_in(40) ? number() & 0xffff : length, 4);
    }
    return out.count;
}

static size_t wrap_riff(uint8_t *data, size_t size, size_t most)
{
    static const uint8_t head[20] = "RIFF\0\0\0\0RMIDdata";
    if (size + sizeof head > most)
        return size;
    memmove(data + sizeof head, data, size);
    memcpy(data, head, sizeof head);
    for (int i = 0; i < 4; i++)
        data[16 + i] = (uint8_t)(size >> (8 * i));
    return size + sizeof head;
}

static size_t zip(uint8_t *data, size_t size, size_t most)
{
    z_stream stream = {0};
    uint8_t *packed = malloc(most);
    if (!packed || deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_in = data;
    stream.avail_in = (uInt)size;
    stream.next_out = packed;
    stream.avail_out = (uInt)most;
    if (deflate(&stream, Z_FINISH) == Z_STREAM_END) {
        size = most - stream.avail_out;
        memcpy(data, packed, size);
    }
    deflateEnd(&stream);
    free(packed);
    return size;
}

static size_t unzip(uint8_t *data, size_t size, size_t most)
{
    z_stream stream = {0};
    uint8_t *plain = malloc(most);
    if (!plain || inflateInit2(&stream, 15 + 16) != Z_OK)
        abort();
    stream.next_in = data;
    stream.avail_in = (uInt)size;
    stream.next_out = plain;
    stream.avail_out = (uInt)most;
    inflate(&stream, Z_FINISH);
    size = most - stream.avail_out;
    memcpy(data, plain, size);
    inflateEnd(&stream);
    free(plain);
    return size;
}

static size_t change_song(uint8_t *data, size_t size, size_t most)
{
    static struct song song;
    if (!take_apart(&song, data, size)) {
        song.format = below(3);
        song.division = one_in(2) ? 480 : 96;
        song.tracks = 1 + below(3);
    }
    uint8_t *plain = malloc(size + 1); /* the events point into the old bytes */
    if (!plain)
        abort();
    memcpy(plain, data, size);
    for (size_t i = 0; i < song.count; i++)
        song.events[i].data = plain + (song.events[i].data - data);
    for (uint32_t changes = 1 + below(song.count == 0 ? 40 : 6); changes > 0; changes--)
        change_one(&song);
    if (one_in(8))
        change_header(&song);
    size = put_together(&song, data, most);
    free(plain);
    return size;
}

static size_t change_file(uint8_t *data, size_t size, size_t most)
{
    int was_zipped = size > 2 && data[0] == 0x1f && data[1] == 0x8b;
    if (one_in(5))
        return LLVMFuzzerMutate(data, size, most);
    if (was_zipped)
        size = unzip(data, size, most);
    size = one_in(6) ? LLVMFuzzerMutate(data, size, most) : change_song(data, size, most);
    if (one_in(100))
        size = wrap_riff(data, size, most);
    return one_in(was_zipped ? 2 : 200) ? zip(data, size, most) : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    uint8_t trailer[16] = {0};
    state = seed * 0x9e3779b97f4a7c15u + 1;
    if (most <= fuzz_trailer_size)
        return size;
    if (size >= fuzz_trailer_size) {
        size -= fuzz_trailer_size;
        memcpy(trailer, data + size, fuzz_trailer_size);
    }
    if (fuzz_trailer_size > 0 && one_in(4))
        trailer[below((uint32_t)fuzz_trailer_size)] = (uint8_t)number();
    size = change_file(data, size, most - fuzz_trailer_size);
    memcpy(data + size, trailer, fuzz_trailer_size);
    return size + fuzz_trailer_size;
}
