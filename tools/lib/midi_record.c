#include "midi_record.h"

#include "utf8.h"

static void add_instruments(struct text_buffer *out, const struct midi_file *file)
{
    unsigned char plays[129] = {0}; /* drums first, then the programs */
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        if (track->note_count > 0)
            plays[track->channel == MIDI_DRUM_CHANNEL ? 0 : track->program + 1] = 1;
    }
    const char *separator = "";
    text_add_string(out, "\"instruments\":[");
    for (int i = 0; i < 129; i++)
        if (plays[i]) {
            text_printf(out, "%s%d", separator, i - 1);
            separator = ",";
        }
    text_add_string(out, "]");
}

static void add_title(struct text_buffer *out, const char *title, size_t length)
{
    text_add_string(out, ",\"title\":");
    if (utf8_first_fault(title, length) == length) {
        text_add_json_string(out, title, length);
        return;
    }
    struct text_buffer decoded = {0};
    for (size_t i = 0; i < length; i++) {
        char character[4];
        text_add(&decoded, character, utf8_encode((unsigned char)title[i], character));
    }
    if (decoded.failed)
        out->failed = 1;
    else
        text_add_json_string(out, decoded.bytes, decoded.count);
    text_free(&decoded);
}

void add_midi_record(struct text_buffer *out, const struct midi_file *file)
{
    text_add_string(out, "\"duration\":");
    text_add_double(out, midi_seconds(file, midi_last_end(file)));
    text_add_string(out, ",\"tempo\":");
    text_add_double(out, 60e6 / (file->tempo_count > 0 ? file->tempos[0].microseconds : MIDI_DEFAULT_TEMPO));
    text_add_string(out, ",");
    add_instruments(out, file);
    text_printf(out, ",\"notes\":%zu", file->note_count);
    if (file->time_signature_count > 0)
        text_printf(out, ",\"time_signature\":\"%d/%d\"", file->time_signatures[0].numerator, file->time_signatures[0].denominator);
    else
        text_add_string(out, ",\"time_signature\":\"4/4\"");
    struct midi_text title = midi_title(file);
    if (title.length > 0)
        add_title(out, title.bytes, title.length);
}
