#include "midi_record.h"

#include <string.h>

#include "gm_names.h"
#include "midi_polyphony.h"
#include "midi_words.h"

enum member { TIME_SIGNATURES, KEY_SIGNATURES, TRACK_NAMES, LYRICS, TEXTS, COPYRIGHTS, MARKERS, MEMBERS };
static const char *const member_names[MEMBERS] = {"time_signatures", "key_signatures", "track_names", "lyrics", "texts", "copyrights", "markers"};

struct record {
    struct text_buffer *out;
    struct midi_file *file;
    struct text_buffer words; /* scratch */
    unsigned cut;             /* a bit for each member */
};

/* Which programs play: drums first, then the programs. */
struct plays { unsigned char of[129]; };

static struct plays programs_of(const struct midi_file *file)
{
    struct plays plays = {{0}};
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        if (track->note_count > 0)
            plays.of[track->channel == MIDI_DRUM_CHANNEL ? 0 : track->program + 1] = 1;
    }
    return plays;
}

static void add_instruments(struct text_buffer *out, const struct plays *plays)
{
    const char *separator = "";
    text_add_string(out, ",\"instruments\":[");
    for (int i = 0; i < 129; i++)
        if (plays->of[i]) {
            text_add_string(out, separator);
            text_add_integer(out, i - 1);
            separator = ",";
        }
    text_add_string(out, "]");
}

static void add_instrument_names(struct text_buffer *out, const struct plays *plays)
{
    const char *separator = "\"";
    text_add_string(out, ",\"instrument_names\":[");
    for (int i = 0; i < 129; i++)
        if (plays->of[i]) {
            text_add_string(out, separator);
            text_add_string(out, i == 0 ? "Drums" : gm_names[i - 1]);
            text_add_string(out, "\"");
            separator = ",\"";
        }
    text_add_string(out, plays->of[0] ? "],\"drums\":true" : "],\"drums\":false");
}

static void begin_member(struct record *record, enum member member)
{
    text_add_string(record->out, ",\"");
    text_add_string(record->out, member_names[member]);
    text_add_string(record->out, "\":");
}

/* Begins another entry of a list that has `listed` so far; 0 if it is full. */
static int begin_entry(struct record *record, enum member member, size_t listed)
{
    if (listed == MIDI_RECORD_LIST) {
        record->cut |= 1u << member;
        return 0;
    }
    if (listed > 0)
        text_add_string(record->out, ",");
    return 1;
}

static void add_time(struct record *record, struct midi_clock *clock, int32_t tick)
{
    text_add_string(record->out, "{\"time\":");
    text_add_double(record->out, midi_clock_seconds(clock, record->file, tick));
}

/* Signatures that repeat the one before change nothing, and are left out. */
static void add_time_signatures(struct record *record)
{
    const struct midi_file *file = record->file;
    struct midi_clock clock = {0};
    size_t listed = 0;
    begin_member(record, TIME_SIGNATURES);
    text_add_string(record->out, "[");
    for (size_t i = 0; i < file->time_signature_count; i++) {
        const struct midi_time_signature *signature = &file->time_signatures[i];
        if (i > 0 && signature->numerator == signature[-1].numerator && signature->denominator == signature[-1].denominator)
            continue;
        if (!begin_entry(record, TIME_SIGNATURES, listed++))
            break;
        add_time(record, &clock, signature->time);
        text_printf(record->out, ",\"signature\":\"%d/%d\"}", signature->numerator, signature->denominator);
    }
    text_add_string(record->out, "]");
}

static void add_key_signatures(struct record *record)
{
    static const char *const tonics[] = {"Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"};
    const struct midi_file *file = record->file;
    struct midi_clock clock = {0};
    size_t listed = 0;
    begin_member(record, KEY_SIGNATURES);
    text_add_string(record->out, "[");
    for (size_t i = 0; i < file->key_signature_count; i++) {
        const struct midi_key_signature *signature = &file->key_signatures[i];
        if (i > 0 && signature->sharps == signature[-1].sharps && signature->minor == signature[-1].minor)
            continue;
        if (!begin_entry(record, KEY_SIGNATURES, listed++))
            break;
        add_time(record, &clock, signature->time);
        /* A minor key has the accidentals of the major key three fifths below. */
        text_printf(record->out, ",\"key\":\"%s %s\"}", tonics[signature->sharps + 7 + 3 * signature->minor], signature->minor ? "minor" : "major");
    }
    text_add_string(record->out, "]");
}

/* The member that a text belongs to; MEMBERS: none. */
static enum member member_of(const struct midi_text *text, int karaoke)
{
    switch (text->kind) {
    case MIDI_TRACK_NAME: return TRACK_NAMES;
    case MIDI_TEXT: return karaoke && text->bytes[0] != '@' ? MEMBERS : TEXTS;
    case MIDI_CUE_POINT: return TEXTS;
    case MIDI_COPYRIGHT: return COPYRIGHTS;
    case MIDI_MARKER: return MARKERS;
    default: return MEMBERS;
    }
}

/* A text of the file as record->words. Returns whether it was cut. */
static int take_words(struct record *record, const char *bytes, size_t count, size_t most)
{
    int cut = decode_words(&record->words, bytes, count, most);
    record->out->failed |= record->words.failed;
    return cut;
}

/* A list of texts. If there are none it is left out, unless it is `always` there. */
static void add_texts(struct record *record, enum member member, int karaoke, int always)
{
    const struct midi_file *file = record->file;
    size_t listed = 0;
    for (size_t i = 0; i < file->text_count; i++) {
        const struct midi_text *text = &file->texts[i];
        if (member_of(text, karaoke) != member)
            continue;
        if (take_words(record, text->bytes, text->length, MIDI_RECORD_TEXT))
            record->cut |= 1u << member;
        if (record->words.count == 0)
            continue;
        if (listed == 0) {
            begin_member(record, member);
            text_add_string(record->out, "[");
        }
        if (!begin_entry(record, member, listed))
            break;
        text_add_json_string(record->out, record->words.bytes, record->words.count);
        listed++;
    }
    if (listed > 0) {
        text_add_string(record->out, "]");
    } else if (always) {
        begin_member(record, member);
        text_add_string(record->out, "[]");
    }
}

static void add_lyrics(struct record *record)
{
    struct text_buffer lyrics = {0};
    gather_lyrics(&lyrics, record->file, MIDI_RECORD_LYRICS);
    if (lyrics.count > 0) {
        if (take_words(record, lyrics.bytes, lyrics.count, MIDI_RECORD_LYRICS))
            record->cut |= 1u << LYRICS;
        begin_member(record, LYRICS);
        text_add_json_string(record->out, record->words.count > 0 ? record->words.bytes : "", record->words.count);
    }
    record->out->failed |= lyrics.failed;
    text_free(&lyrics);
}

static void add_cut(struct record *record)
{
    const char *separator = ",\"cut\":[\"";
    for (int member = 0; member < MEMBERS; member++)
        if (record->cut >> member & 1) {
            text_add_string(record->out, separator);
            text_add_string(record->out, member_names[member]);
            text_add_string(record->out, "\"");
            separator = ",\"";
        }
    if (record->cut)
        text_add_string(record->out, "]");
}

/* What every file has. */
static void add_numbers(struct record *record, const struct plays *plays, int32_t end)
{
    const struct midi_file *file = record->file;
    struct text_buffer *out = record->out;
    text_add_string(out, "\"duration\":");
    text_add_double(out, midi_seconds(file, end));
    text_add_string(out, ",\"tempo\":");
    text_add_double(out, 60e6 / (file->tempo_count > 0 ? file->tempos[0].microseconds : MIDI_DEFAULT_TEMPO));
    add_instruments(out, plays);
    text_add_string(out, ",\"notes\":");
    text_add_integer(out, (long long)file->note_count);
    if (file->time_signature_count > 0)
        text_printf(out, ",\"time_signature\":\"%d/%d\"", file->time_signatures[0].numerator, file->time_signatures[0].denominator);
    else
        text_add_string(out, ",\"time_signature\":\"4/4\"");
}

void add_midi_record(struct text_buffer *out, struct midi_file *file)
{
    struct record record = {.out = out, .file = file};
    struct plays plays = programs_of(file);
    struct midi_text title = midi_title(file);
    int32_t end = file->last_end;
    int karaoke = is_karaoke(file);
    size_t polyphony = 0;
    add_numbers(&record, &plays, end);
    if (title.length > 0) {
        take_words(&record, title.bytes, title.length, MIDI_RECORD_TEXT);
        text_add_string(out, ",\"title\":");
        text_add_json_string(out, record.words.count > 0 ? record.words.bytes : "", record.words.count);
    }
    text_add_string(out, ",\"mean_tempo\":");
    text_add_double(out, midi_mean_tempo(file, end));
    add_instrument_names(out, &plays);
    if (midi_polyphony(file, end, &polyphony, NULL) < 0)
        out->failed = 1;
    text_add_string(out, ",\"polyphony\":");
    text_add_integer(out, (long long)polyphony);
    add_time_signatures(&record);
    add_key_signatures(&record);
    add_texts(&record, TRACK_NAMES, karaoke, 1);
    add_lyrics(&record);
    add_texts(&record, TEXTS, karaoke, 0);
    add_texts(&record, COPYRIGHTS, karaoke, 0);
    add_texts(&record, MARKERS, karaoke, 0);
    if (file->is_damaged) {
        text_add_string(out, ",\"damage\":");
        text_add_json_string(out, file->damage.text, strlen(file->damage.text));
    }
    add_cut(&record);
    text_free(&record.words);
}
