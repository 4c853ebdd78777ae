/* Writes MIDI files in which there is much of one thing, to see that nothing takes more than its share: heavy_midi KIND COUNT OUT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/numbers.h"
#include "../tools/lib/text_buffer.h"

static void add_big_endian(struct text_buffer *out, unsigned long value, int bytes)
{
    while (bytes-- > 0)
        text_add(out, &(char){(char)(value >> (8 * bytes) & 0xff)}, 1);
}

static void add_header(struct text_buffer *out, size_t tracks, unsigned division)
{
    text_add(out, "MThd\0\0\0\6\0\1", 10);
    add_big_endian(out, tracks, 2);
    add_big_endian(out, division, 2);
}

static void add_track(struct text_buffer *out, const struct text_buffer *events)
{
    text_add(out, "MTrk", 4);
    add_big_endian(out, events->count + 4, 4);
    text_add(out, events->bytes, events->count);
    text_add(out, "\0\xff\x2f\0", 4);
}

#define ADD(events, text) text_add(events, text, sizeof(text) - 1)

/* One event, or what belongs together, of each kind; `i` counts them. */
static void add_events(struct text_buffer *events, const char *kind, size_t i)
{
    static const char *const mixed[] = {"notes", "notes", "tempos", "signatures", "pedals", "bends", "programs", "notes", "programs"};
    int is_mixed = strcmp(kind, "mixed") == 0; /* of few instruments: MMM repeats the time for each */
    if (is_mixed)
        kind = mixed[i % (sizeof mixed / sizeof *mixed)];
    char note = (char)(i * 7 % 88 + 21), low = (char)(i & 127), program = (char)(is_mixed ? i & 3 : i >> 4 & 127);
    if (strcmp(kind, "notes") == 0)
        text_add(events, (char[]){0, (char)0x90, note, 100, 20, note, 0}, 7);
    else if (strcmp(kind, "tempos") == 0)
        text_add(events, (char[]){1, (char)0xff, 0x51, 3, 7, low, 1}, 7);
    else if (strcmp(kind, "signatures") == 0) /* 3/4 and 4/8 in turn, more than a bar apart */
        text_add(events, (char[]){(char)0x84, 0, (char)0xff, 0x58, 4, (char)(3 + (i & 1)), (char)(2 + (i & 1)), 24, 8}, 9);
    else if (strcmp(kind, "keys") == 0)
        text_add(events, (char[]){1, (char)0xff, 0x59, 2, (char)(i % 7), 0}, 6);
    else if (strcmp(kind, "texts") == 0)
        text_add(events, (char[]){0, (char)0xff, (char)(1 + i % 7), 1, 'a'}, 5);
    else if (strcmp(kind, "overlaps") == 0) /* of one pitch: all begin, then all end */
        text_add(events, (char[]){0, 60, 100}, 3);
    else if (strcmp(kind, "pedals") == 0)
        text_add(events, (char[]){1, (char)0xb0, 64, (char)(i & 1 ? 0 : 127)}, 4);
    else if (strcmp(kind, "bends") == 0)
        text_add(events, (char[]){1, (char)0xe0, low, 64}, 4);
    else if (strcmp(kind, "programs") == 0) /* a track for each of them */
        text_add(events, (char[]){0, (char)(0xc0 | (i & 15)), program, 0, (char)(0x90 | (i & 15)), note, 100, 20, note, 0}, 10);
    else if (strcmp(kind, "endless") == 0)
        text_add(events, (char[]){1, (char)0x90, note, 1}, 4);
    else if (strcmp(kind, "bars") == 0) /* a note every hundred thousand bars */
        text_add(events, (char[]){(char)0x82, 0, note, 100, 1, note, 0}, 7);
    else
        exit(2);
}

int main(int argc, char **argv)
{
    size_t count;
    struct text_buffer out = {0}, events = {0};
    if (argc != 4 || whole_number(argv[2], 1, 10000000, &count) < 0)
        return 2;
    const char *kind = argv[1];
    if (strcmp(kind, "tracks") == 0) {
        add_header(&out, count, 96);
        for (size_t i = 0; i < count; i++) {
            text_clear(&events);
            text_add(&events, (char[]){0, (char)(0x90 | (i & 7)), 60, 100, 20, 60, 0}, 7);
            add_track(&out, &events);
        }
    } else if (strcmp(kind, "empty-tracks") == 0) {
        add_header(&out, count, 96);
        for (size_t i = 0; i < count; i++)
            text_add(&out, "MTrk\0\0\0\0", 8);
    } else {
        int overlaps = strcmp(kind, "overlaps") == 0;
        add_header(&out, 1, strcmp(kind, "bars") == 0 ? 1 : 96);
        ADD(&events, "\0\x90\x3c\x40\x30\x3c\0"); /* a note, and a running status */
        for (size_t i = 0; i < count; i++)
            add_events(&events, kind, i);
        for (size_t i = 0; i < count && overlaps; i++)
            ADD(&events, "\1\x3c\0");
        add_track(&out, &events);
    }
    FILE *file = fopen(argv[3], "wb");
    int failed = !file || fwrite(out.bytes, 1, out.count, file) != out.count;
    failed |= !file || fclose(file) != 0;
    text_free(&out);
    text_free(&events);
    return failed ? 1 : 0;
}
