/* The MIDI reader with all its inputs, strict and lenient: what it reads agrees with itself, a strict reading is a lenient one without damage, and the
 * record is JSON. The memory of one file serves the next, as in the program. */
#include <cjson/cJSON.h>

#include "../../tools/lib/midi_input.h"
#include "../../tools/lib/midi_polyphony.h"
#include "../../tools/lib/midi_record.h"
#include "target.h"

const size_t fuzz_trailer_size = 0;

struct half { struct midi_input input; struct midi_file file; struct text_buffer record; };

static void check_tracks(const struct midi_file *file)
{
    size_t notes = 0, pedals = 0, bends = 0;
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        REQUIRE(track->channel < 16 && track->program < 128);
        REQUIRE(track->first_note == notes && track->first_pedal == pedals && track->first_pitch_bend == bends);
        for (size_t i = 0; i < track->note_count; i++) {
            const struct midi_note *note = &file->notes[notes + i];
            REQUIRE(note->start >= (i > 0 ? note[-1].start : 0) && note->duration >= 0 && note->start <= INT32_MAX - note->duration);
            REQUIRE(note->pitch < 128 && note->velocity > 0 && note->velocity < 128);
        }
        for (size_t i = 0; i < track->pedal_count; i++) {
            const struct midi_pedal *pedal = &file->pedals[pedals + i];
            REQUIRE(pedal->start >= (i > 0 ? pedal[-1].start + pedal[-1].duration : 0) && pedal->duration >= 0);
        }
        for (size_t i = 0; i < track->pitch_bend_count; i++) {
            const struct midi_pitch_bend *bend = &file->pitch_bends[bends + i];
            REQUIRE(bend->time >= (i > 0 ? bend[-1].time : 0) && bend->value >= -8192 && bend->value < 8192);
        }
        notes += track->note_count;
        pedals += track->pedal_count;
        bends += track->pitch_bend_count;
    }
    REQUIRE(notes == file->note_count && pedals == file->pedal_count && bends == file->pitch_bend_count);
}

static void check_file(const struct midi_file *file)
{
    REQUIRE(file->format >= 0 && file->format <= 2 && file->ticks_per_quarter > 0);
    for (size_t i = 0; i < file->tempo_count; i++)
        REQUIRE(file->tempos[i].time >= (i > 0 ? file->tempos[i - 1].time : 0) && file->tempos[i].microseconds > 0);
    for (size_t i = 0; i < file->time_signature_count; i++)
        REQUIRE(file->time_signatures[i].time >= (i > 0 ? file->time_signatures[i - 1].time : 0) && file->time_signatures[i].numerator > 0 &&
                file->time_signatures[i].denominator > 0);
    for (size_t i = 0; i < file->key_signature_count; i++)
        REQUIRE(file->key_signatures[i].time >= (i > 0 ? file->key_signatures[i - 1].time : 0));
    unsigned sum = 0;
    for (size_t i = 0; i < file->text_count; i++) {
        REQUIRE(file->texts[i].length > 0 && file->texts[i].kind >= MIDI_TEXT && file->texts[i].kind <= MIDI_CUE_POINT);
        for (uint32_t j = 0; j < file->texts[i].length; j++)
            sum += (unsigned char)file->texts[i].bytes[j];
    }
    __asm__ volatile("" : : "r"(sum)); /* the texts are read, to the last byte */
    check_tracks(file);
    int32_t end = file->last_end;
    REQUIRE(midi_seconds(file, end) >= midi_seconds(file, end / 2));
}

/* By every note's start, where the most must sound. */
static void check_polyphony(struct midi_file *file)
{
    size_t most, expected = 0;
    REQUIRE(midi_polyphony(file, file->last_end, &most, NULL) == 0);
    for (size_t i = 0; i < file->note_count && file->note_count <= 32; i++) {
        size_t sounding = 0;
        for (size_t j = 0; j < file->note_count; j++)
            sounding += file->notes[j].start <= file->notes[i].start && file->notes[j].start + file->notes[j].duration > file->notes[i].start;
        expected = sounding > expected ? sounding : expected;
    }
    REQUIRE(file->note_count > 32 || most == expected);
}

static void check_record(struct half *half)
{
    check_polyphony(&half->file);
    text_clear(&half->record);
    text_add_string(&half->record, "{");
    add_midi_record(&half->record, &half->file);
    text_add_string(&half->record, "}");
    REQUIRE(!half->record.failed);
    if (half->record.count % 4) /* parsing takes longer than all the rest: now and then is enough */
        return;
    cJSON *json = cJSON_ParseWithLength(half->record.bytes, half->record.count);
    REQUIRE(cJSON_IsObject(json));
    cJSON_Delete(json);
}

static int read_half(struct half *half, const uint8_t *data, size_t size, struct reason *why)
{
    if (midi_input_read(data, size, &half->input, &half->file, why) < 0) {
        REQUIRE(why->text[0] && !is_out_of_memory(why));
        return -1;
    }
    check_file(&half->file);
    check_record(half);
    return 0;
}

/* Field by field: what is between a note and the next is nobody's. */
static int same_notes(const struct midi_file *a, const struct midi_file *b)
{
    size_t same = 0;
    if (a->note_count != b->note_count)
        return 0;
    while (same < a->note_count && a->notes[same].start == b->notes[same].start && a->notes[same].duration == b->notes[same].duration &&
           a->notes[same].pitch == b->notes[same].pitch && a->notes[same].velocity == b->notes[same].velocity)
        same++;
    return same == a->note_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct half strict = {.file.want_controls = 1}, lenient = {.file = {.want_controls = 1, .lenient = 1}}, plain;
    struct reason why, lenient_why;
    unsetenv("PATH"); /* abc2midi is not what is tested */
    int read = read_half(&strict, data, size, &why), lenient_read = read_half(&lenient, data, size, &lenient_why);
    REQUIRE(read_half(&plain, data, size, &lenient_why) == read);
    if (read < 0) {
        REQUIRE(lenient_read < 0 || lenient.file.is_damaged);
        return 0;
    }
    REQUIRE(lenient_read == 0 && !lenient.file.is_damaged && !strict.file.is_damaged);
    REQUIRE(strict.record.count == lenient.record.count && memcmp(strict.record.bytes, lenient.record.bytes, strict.record.count) == 0);
    REQUIRE(strict.record.count == plain.record.count && memcmp(strict.record.bytes, plain.record.bytes, strict.record.count) == 0);
    REQUIRE(same_notes(&strict.file, &lenient.file) && same_notes(&strict.file, &plain.file) && plain.file.pedal_count == 0);
    return 0;
}
