/* What the reader makes of MIDI files, for the tests that compare it with the specification and with symusic.
 *
 *   midi_dump [--lenient] FILE…   a text of each file
 *   midi_dump [--lenient] --pipe  files from stdin, each behind its length; of each, on stdout, a length and then int32 numbers (or a refusal as text).
 *                                 All lengths are uint32 in the machine's byte order; that of a refusal has the highest bit set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/midi_file.h"
#include "../tools/lib/whole_file.h"

static void print_tracks(const struct midi_file *file)
{
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        printf("track channel %d program %d notes %zu\n", track->channel, track->program, track->note_count);
        for (size_t i = 0; i < track->note_count; i++) {
            const struct midi_note *note = &file->notes[track->first_note + i];
            printf("note %d %d pitch %d velocity %d\n", note->start, note->duration, note->pitch, note->velocity);
        }
        for (size_t i = 0; i < track->pedal_count; i++)
            printf("pedal %d %d\n", file->pedals[track->first_pedal + i].start, file->pedals[track->first_pedal + i].duration);
        for (size_t i = 0; i < track->pitch_bend_count; i++)
            printf("bend %d %d\n", file->pitch_bends[track->first_pitch_bend + i].time, file->pitch_bends[track->first_pitch_bend + i].value);
    }
}

static void print_text(const struct midi_text *text)
{
    static const char *const kinds[] = {"", "text", "copyright", "track-name", "instrument-name", "lyric", "marker", "cue-point"};
    printf("%s %d chunk %d ", kinds[text->kind], text->time, text->chunk);
    for (uint32_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        printf(c < ' ' || c > '~' || c == '\\' ? "\\x%02x" : "%c", c);
    }
    puts("");
}

static void print_file(const struct midi_file *file)
{
    printf("format %d division %.17g per quarter", file->format, file->ticks_per_quarter);
    printf(file->ticks_per_second > 0 ? " %.17g per second\n" : "\n", file->ticks_per_second);
    printf("chunks %zu\n", file->chunk_count);
    if (file->is_damaged)
        printf("damaged %s\n", file->damage.text);
    for (size_t i = 0; i < file->tempo_count; i++)
        printf("tempo %d %u\n", file->tempos[i].time, file->tempos[i].microseconds);
    for (size_t i = 0; i < file->time_signature_count; i++)
        printf("time-signature %d %d/%d\n", file->time_signatures[i].time, file->time_signatures[i].numerator, file->time_signatures[i].denominator);
    for (size_t i = 0; i < file->key_signature_count; i++)
        printf("key-signature %d %d %s\n", file->key_signatures[i].time, file->key_signatures[i].sharps, file->key_signatures[i].minor ? "minor" : "major");
    for (size_t i = 0; i < file->text_count; i++)
        print_text(&file->texts[i]);
    print_tracks(file);
}

/* ---- the pipe ---- */

static void put(const void *bytes, size_t count)
{
    if (fwrite(bytes, 1, count, stdout) != count)
        exit(1);
}

static void put_number(size_t number)
{
    int32_t value = (int32_t)number;
    put(&value, sizeof value);
}

static void put_file(const struct midi_file *file)
{
    size_t numbers = 5 + 5 * file->track_count + 4 * file->note_count + 2 * file->pedal_count + 2 * file->pitch_bend_count + 2 * file->tempo_count +
                     3 * file->time_signature_count;
    put_number(numbers * sizeof(int32_t));
    put_number((size_t)file->ticks_per_quarter);
    put_number(file->tempo_count);
    put_number(file->time_signature_count);
    put_number(file->track_count);
    put_number((size_t)file->is_damaged);
    for (size_t i = 0; i < file->tempo_count; i++) {
        put_number((size_t)file->tempos[i].time);
        put_number(file->tempos[i].microseconds);
    }
    for (size_t i = 0; i < file->time_signature_count; i++) {
        put_number((size_t)file->time_signatures[i].time);
        put_number(file->time_signatures[i].numerator);
        put_number(file->time_signatures[i].denominator);
    }
    for (size_t t = 0; t < file->track_count; t++) {
        const struct midi_track *track = &file->tracks[t];
        const size_t head[] = {track->channel, track->program, track->note_count, track->pedal_count, track->pitch_bend_count};
        for (size_t i = 0; i < 5; i++)
            put_number(head[i]);
        for (size_t i = 0; i < track->note_count; i++) {
            const struct midi_note *note = &file->notes[track->first_note + i];
            const int32_t values[] = {note->start, note->duration, note->pitch, note->velocity};
            put(values, sizeof values);
        }
        put(file->pedals + track->first_pedal, track->pedal_count * sizeof *file->pedals);
        for (size_t i = 0; i < track->pitch_bend_count; i++) {
            const int32_t values[] = {file->pitch_bends[track->first_pitch_bend + i].time, file->pitch_bends[track->first_pitch_bend + i].value};
            put(values, sizeof values);
        }
    }
}

static int answer_pipe(struct midi_file *file)
{
    uint32_t count;
    struct reason why;
    while (fread(&count, sizeof count, 1, stdin) == 1) {
        uint8_t *bytes = malloc(count + (size_t)1); /* exactly: a sanitizer sees what is read behind it */
        if (!bytes || fread(bytes, 1, count, stdin) != count)
            return 1;
        if (midi_file_read(bytes, count, file, &why) == 0) {
            put_file(file);
        } else {
            put_number(strlen(why.text) | UINT32_C(0x80000000));
            put(why.text, strlen(why.text));
        }
        free(bytes);
        if (fflush(stdout))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct midi_file file = {.want_controls = 1};
    struct whole_file whole = {0};
    struct reason why;
    int status = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--lenient") == 0)
            file.lenient = 1;
        else if (strcmp(argv[i], "--pipe") == 0)
            status |= answer_pipe(&file);
        else if (whole_file_read(argv[i], &whole, &why) < 0 || midi_file_read(whole.bytes, whole.count, &file, &why) < 0)
            printf("refused %s\n", why.text);
        else
            print_file(&file);
    }
    whole_file_free(&whole);
    midi_file_free(&file);
    return status || fflush(stdout) ? 1 : 0;
}
