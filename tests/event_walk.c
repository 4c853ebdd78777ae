/* The least that reading MIDI files can take: one pass over the events of each named file, counting notes, nothing checked twice and nothing kept.
 * event_walk LIST: a file a line. Prints how many notes there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/message.h"
#include "../tools/lib/whole_file.h"

static size_t quantity(const uint8_t *bytes, size_t end, size_t *at)
{
    size_t value = 0;
    while (*at < end) {
        uint8_t byte = bytes[(*at)++];
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80)
            break;
    }
    return value;
}

static size_t walk(const uint8_t *bytes, size_t at, size_t end)
{
    size_t notes = 0;
    uint8_t running = 0;
    while (at < end) {
        quantity(bytes, end, &at);
        if (at >= end)
            break;
        uint8_t status = bytes[at];
        if (status >= 0xf0) {
            at += status == 0xff ? 2 : 1;
            size_t length = quantity(bytes, end, &at);
            at = length > end - at ? end : at + length;
            continue;
        }
        if (status >= 0x80) {
            running = status;
            at++;
        }
        notes += (running & 0xf0) == 0x90 && at + 1 < end && bytes[at + 1] > 0;
        at += (running & 0xe0) == 0xc0 ? 1 : 2;
    }
    return notes;
}

static size_t notes_of(const struct whole_file *file)
{
    size_t notes = 0;
    for (size_t at = 0; at + 8 <= file->count;) {
        const uint8_t *head = file->bytes + at;
        size_t length = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        size_t end = length > file->count - at - 8 ? file->count : at + 8 + length;
        if (memcmp(head, "MTrk", 4) == 0)
            notes += walk(file->bytes, at + 8, end);
        at = end;
    }
    return notes;
}

int main(int argc, char **argv)
{
    FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
    struct whole_file file = {0};
    struct reason why;
    size_t notes = 0;
    char path[4096];
    if (message_init(argv[0]) < 0 || !list)
        return 2;
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = '\0';
        if (whole_file_read(path, &file, &why) < 0) {
            message(MESSAGE_ERROR, path, "%s", why.text);
            return 1;
        }
        notes += notes_of(&file);
    }
    fclose(list);
    whole_file_free(&file);
    printf("%zu\n", notes);
    return fflush(stdout) ? 1 : 0;
}
