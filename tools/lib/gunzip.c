#include "gunzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "grow.h"

#define ALWAYS ((size_t)1 << 20)

int is_gzip(const uint8_t *bytes, size_t count)
{
    return count >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

/* Unpacks one member, from `*at` on, and steps behind it. */
static int unpack_member(z_stream *stream, const uint8_t **at, const uint8_t *end, size_t most, struct unpacked *out, struct reason *why)
{
    if (inflateReset(stream) != Z_OK)
        return fail(why, "gzip: cannot begin");
    for (int state = Z_OK; state != Z_STREAM_END;) {
        if (out->count > most) {
            out->count = 0;
            return fail(why, "gzip: unpacks to more than %zu bytes: refused, it could be a bomb", most);
        }
        if (GROW(out->bytes, out->capacity, out->count + 1, why) < 0)
            return -1;
        size_t free_room = out->capacity - out->count, wanted = most + 1 - out->count, room = free_room < wanted ? free_room : wanted;
        size_t left = (size_t)(end - *at);
        stream->next_in = (Bytef *)(uintptr_t)*at; /* zlib does not write there */
        stream->avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
        stream->next_out = out->bytes + out->count;
        stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
        state = inflate(stream, Z_NO_FLUSH);
        int stuck = stream->next_in == *at && stream->next_out == out->bytes + out->count;
        *at = stream->next_in;
        out->count = (size_t)(stream->next_out - out->bytes);
        if (state == Z_MEM_ERROR)
            return fail(why, "out of memory");
        if (state == Z_BUF_ERROR || (state == Z_OK && stuck))
            return fail(why, "gzip: the data ends early: it is truncated");
        if (state != Z_OK && state != Z_STREAM_END)
            return fail(why, "gzip: %s", stream->msg ? stream->msg : "damaged data");
    }
    return 0;
}

int gunzip(const uint8_t *bytes, size_t count, struct unpacked *out, struct reason *why)
{
    const uint8_t *at = bytes, *end = bytes + count;
    size_t most = count < GUNZIP_MOST / GUNZIP_RATIO ? count * GUNZIP_RATIO : GUNZIP_MOST;
    z_stream stream = {0};
    out->count = 0;
    if (inflateInit2(&stream, 15 + 16) != Z_OK) /* the largest window; gzip, and nothing else */
        return fail(why, "out of memory");
    int result = 0;
    while (result == 0 && is_gzip(at, (size_t)(end - at)))
        result = unpack_member(&stream, &at, end, most < ALWAYS ? ALWAYS : most, out, why);
    inflateEnd(&stream);
    return result;
}

void unpacked_free(struct unpacked *unpacked)
{
    free(unpacked->bytes);
    *unpacked = (struct unpacked){0};
}
