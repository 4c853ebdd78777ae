#include "midi_words.h"

#include <string.h>

#include "utf8.h"

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Appends a character of UTF-8 of that length, in its plain form; '\r' of "\r\n" is left to the newline. */
static void add_character(struct text_buffer *out, const char *character, size_t length, char next)
{
    unsigned char c = (unsigned char)character[0];
    if (c == '\r' && next != '\n')
        text_add_string(out, "\n");
    else if (c >= ' ' ? c != 0x7f : c == '\n' || c == '\t')
        text_add(out, character, length);
}

/* Whether any of these bytes, each of them or its character, is neither white space nor a control character. */
static int holds_more(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)bytes[i] > ' ' && bytes[i] != 0x7f)
            return 1;
    return 0;
}

int decode_words(struct text_buffer *out, const char *bytes, size_t count, size_t most)
{
    int utf8 = utf8_first_fault(bytes, count) == count;
    size_t i = 0;
    text_clear(out);
    while (i < count && out->count < most) {
        char character[4];
        size_t length = utf8 ? utf8_sequence_length(bytes + i, count - i) : 1, before = out->count;
        if (utf8)
            add_character(out, bytes + i, length, i + 1 < count ? bytes[i + 1] : 0);
        else
            add_character(out, character, utf8_encode((unsigned char)bytes[i], memcpy(character, bytes + i, 1)), i + 1 < count ? bytes[i + 1] : 0);
        if (before == 0 && out->count > 0 && is_space(out->bytes[0]))
            out->count = 0;
        if (out->count > most) {
            out->count = before;
            break;
        }
        i += length;
    }
    while (out->count > 0 && is_space(out->bytes[out->count - 1]))
        out->count--;
    return holds_more(bytes + i, count - i);
}

static int begins_with(const struct midi_text *text, const char *start)
{
    size_t length = strlen(start);
    return text->length >= length && memcmp(text->bytes, start, length) == 0;
}

int is_karaoke(const struct midi_file *file)
{
    for (size_t i = 0; i < file->text_count; i++)
        if (file->texts[i].kind == MIDI_TEXT && begins_with(&file->texts[i], "@KMIDI KARAOKE"))
            return 1;
    return 0;
}

void gather_lyrics(struct text_buffer *out, const struct midi_file *file, size_t most)
{
    int karaoke = is_karaoke(file);
    for (size_t i = 0; i < file->text_count && out->count <= most; i++) {
        const struct midi_text *text = &file->texts[i];
        if (karaoke ? text->kind != MIDI_TEXT || text->bytes[0] == '@' : text->kind != MIDI_LYRIC)
            continue;
        int mark = karaoke && (text->bytes[0] == '/' || text->bytes[0] == '\\');
        if (mark)
            text_add_string(out, text->bytes[0] == '/' ? "\n" : "\n\n");
        text_add(out, text->bytes + mark, text->length - (size_t)mark);
    }
}
