#include "smf_chunk.h"

#include <errno.h>
#include <glib.h>
#include <smf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE 16384
#define TICKS_PER_QUARTER 96 /* for libsmf's own arithmetic of seconds; the file's header is not taken from here */
#define HEADER_BYTES 14      /* the MThd chunk */
#define CHUNK_HEADER_BYTES 8
#define END_OF_TRACK_BYTES 4 /* with its delta time, which is 0 */

struct smf_chunks { int descriptor; char path[32]; uint8_t *bytes; size_t capacity; };

struct smf_chunks *smf_chunks_open(struct reason *why)
{
    struct smf_chunks *chunks = calloc(1, sizeof *chunks);
    if (!chunks) {
        fail(why, "out of memory");
        return NULL;
    }
    chunks->descriptor = memfd_create("reprise-smf", MFD_CLOEXEC);
    if (chunks->descriptor < 0) {
        fail_errno(why, "a file in memory cannot be made");
        free(chunks);
        return NULL;
    }
    snprintf(chunks->path, sizeof chunks->path, "/proc/self/fd/%d", chunks->descriptor);
    return chunks;
}

void smf_chunks_close(struct smf_chunks *chunks)
{
    if (!chunks)
        return;
    close(chunks->descriptor);
    free(chunks->bytes);
    free(chunks);
}

/* The events first, by hand: smf_delete would look for each among all. */
static void free_smf(smf_t *smf, smf_track_t *track)
{
    for (guint i = 0; i < track->events_array->len; i++) {
        smf_event_t *event = g_ptr_array_index(track->events_array, i);
        free(event->midi_buffer);
        free(event);
    }
    g_ptr_array_set_size(track->events_array, 0);
    track->number_of_events = 0;
    smf_delete(smf);
}

static int add_event(smf_track_t *track, const uint8_t *bytes, size_t count, int32_t time, struct reason *why)
{
    smf_event_t *event = smf_event_new_from_pointer((void *)(uintptr_t)bytes, (int)count);
    if (!event)
        return fail(why, "out of memory");
    smf_track_add_event_pulses(track, event, time);
    return 0;
}

static int add_name(smf_track_t *track, const char *name, struct reason *why)
{
    uint8_t bytes[3 + 127] = {0xff, 0x03};
    size_t length = strlen(name);
    if (length > 127)
        return fail(why, "a track's name of %zu bytes", length);
    bytes[2] = (uint8_t)length;
    memcpy(bytes + 3, name, length);
    return add_event(track, bytes, 3 + length, 0, why);
}

/* The file in memory as libsmf left it: *count bytes in chunks->bytes. */
static int take_saved(struct smf_chunks *chunks, size_t *count, struct reason *why)
{
    struct stat status;
    if (fstat(chunks->descriptor, &status) < 0)
        return fail_errno(why, "the file in memory cannot be read");
    *count = (size_t)status.st_size;
    if (*count > chunks->capacity) {
        uint8_t *bytes = realloc(chunks->bytes, *count);
        if (!bytes)
            return fail(why, "out of memory");
        chunks->bytes = bytes;
        chunks->capacity = *count;
    }
    for (size_t done = 0; done < *count;) {
        ssize_t got = pread(chunks->descriptor, chunks->bytes + done, *count - done, (off_t)done);
        if (got <= 0)
            return got < 0 ? fail_errno(why, "the file in memory cannot be read") : fail(why, "the file in memory ends early");
        done += (size_t)got;
    }
    return 0;
}

/* Saves the track and appends its events without the end of the track. */
static int save_slice(struct smf_chunks *chunks, smf_t *smf, smf_track_t *track, struct text_buffer *out, struct reason *why)
{
    size_t count = 0;
    if (smf_track_add_eot_delta_pulses(track, 0) != 0 || smf_save(smf, chunks->path) != 0)
        return fail(why, "libsmf cannot write the track");
    if (take_saved(chunks, &count, why) < 0)
        return -1;
    size_t before = HEADER_BYTES + CHUNK_HEADER_BYTES;
    if (count < before + END_OF_TRACK_BYTES || memcmp(chunks->bytes + HEADER_BYTES, "MTrk", 4) != 0)
        return fail(why, "libsmf wrote something else than a track");
    text_add(out, (const char *)chunks->bytes + before, count - before - END_OF_TRACK_BYTES);
    return 0;
}

/* `from`: the time of the event before the slice, where its delta times start. */
static int add_slice(struct smf_chunks *chunks, const char *name, const struct smf_event_bytes *events, size_t count, int32_t from,
                     struct text_buffer *out, struct reason *why)
{
    smf_t *smf = smf_new();
    smf_track_t *track = smf ? smf_track_new() : NULL;
    if (!track) {
        if (smf)
            smf_delete(smf);
        return fail(why, "out of memory");
    }
    smf_add_track(smf, track);
    int result = smf_set_ppqn(smf, TICKS_PER_QUARTER) != 0 ? fail(why, "libsmf refuses the division") : 0;
    if (result == 0 && name)
        result = add_name(track, name, why);
    for (size_t i = 0; i < count && result == 0; i++)
        result = add_event(track, events[i].bytes, events[i].count, events[i].time - from, why);
    if (result == 0)
        result = save_slice(chunks, smf, track, out, why);
    free_smf(smf, track);
    return result;
}

static void put_big_endian(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i));
}

int smf_chunk_add(struct smf_chunks *chunks, const char *name, const struct smf_event_bytes *events, size_t count, struct text_buffer *out,
                  struct reason *why)
{
    size_t begin = out->count;
    text_add(out, "MTrk\0\0\0\0", CHUNK_HEADER_BYTES);
    size_t done = 0;
    do {
        size_t slice = count - done < SLICE ? count - done : SLICE;
        if (add_slice(chunks, done == 0 ? name : NULL, slice > 0 ? events + done : NULL, slice, done > 0 ? events[done - 1].time : 0, out, why) < 0)
            return -1;
        done += slice;
    } while (done < count);
    text_add(out, "\0\xff\x2f\0", END_OF_TRACK_BYTES);
    if (out->failed)
        return fail(why, "out of memory");
    size_t length = out->count - begin - CHUNK_HEADER_BYTES;
    if (length > INT32_MAX)
        return fail(why, "a track longer than a MIDI file can hold");
    put_big_endian(out->bytes + begin + 4, (uint32_t)length);
    return 0;
}
