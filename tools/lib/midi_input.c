#include "midi_input.h"

#include <string.h>

#include "abc_music.h"

/* Says of what the reader speaks: its byte numbers are none of the file's. */
static int fail_within(const char *where, struct reason *why)
{
    struct reason inner = *why;
    return is_out_of_memory(&inner) ? -1 : fail(why, "%s: %s", where, inner.text);
}

static int read_midi_or_abc(const uint8_t *bytes, size_t count, struct midi_input *input, struct midi_file *file, struct reason *why)
{
    if ((count >= 4 && (memcmp(bytes, "MThd", 4) == 0 || memcmp(bytes, "RIFF", 4) == 0)) || !is_abc(bytes, count))
        return midi_file_read(bytes, count, file, why);
    if (abc_to_midi(bytes, count, &input->midi, why) < 0)
        return -1;
    return midi_file_read(input->midi.bytes, input->midi.count, file, why) < 0 ? fail_within("ABC: abc2midi's MIDI", why) : 0;
}

int midi_input_read(const uint8_t *bytes, size_t count, struct midi_input *input, struct midi_file *file, struct reason *why)
{
    struct reason damage;
    if (!is_gzip(bytes, count))
        return read_midi_or_abc(bytes, count, input, file, why);
    int damaged = gunzip(bytes, count, &input->unpacked, &damage) < 0;
    if (damaged && (is_out_of_memory(&damage) || !file->lenient || input->unpacked.count == 0)) {
        *why = damage;
        return -1;
    }
    if (read_midi_or_abc(input->unpacked.bytes, input->unpacked.count, input, file, why) < 0)
        return fail_within("unpacked", why);
    if (damaged) {
        file->is_damaged = 1;
        file->damage = damage;
    }
    return 0;
}

void midi_input_free(struct midi_input *input)
{
    unpacked_free(&input->unpacked);
    unpacked_free(&input->midi);
}
