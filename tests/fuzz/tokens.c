/* From MIDI to tokens in all tokenizations: the ids are those of the vocabulary, rows are whole, and decoding takes what encoding made. Which tokenizer it is the last 4 bytes
 * say, which the reader takes for garbage behind the tracks; the mutator keeps them. */
#include "../../tools/lib/amt.h"
#include "../../tools/lib/encode.h"
#include "../../tools/lib/midi_input.h"
#include "../../tools/lib/midi_writer.h"
#include "../../tools/lib/token_decoder.h"
#include "../../tools/lib/token_words.h"
#include "target.h"
#include "tokenizers.h"

#define MOST 20000 /* ids; midi2tok allows more, which takes longer */

const size_t fuzz_trailer_size = 4;

static void check_ids(const struct tokenizer *tokenizer, const struct token_list *ids)
{
    size_t columns = (size_t)tokenizer->vocabulary.column_count;
    REQUIRE(ids->count % columns == 0);
    for (size_t i = 0; i < ids->count; i++) {
        size_t column = i % columns;
        REQUIRE(ids->ids[i] == TOKEN_NONE || (ids->ids[i] >= 0 && (size_t)ids->ids[i] < tokenizer->vocabulary.columns[column].count));
        REQUIRE(ids->ids[i] != TOKEN_NONE || columns > 1);
    }
}

/* A trained model would see them in words, which are none of them empty, and all of them the whole. */
static void check_words(const struct tokenizer *tokenizer, const struct midi_file *file, const struct encoder *encoder, const struct token_list *ids, size_t begin)
{
    static struct token_words words;
    struct reason why;
    REQUIRE(token_words_find(&words, tokenizer, file, &encoder->score, ids->ids + begin, ids->times + begin, ids->count - begin, &why) == 0);
    for (size_t i = 0; i < words.count; i++)
        REQUIRE(words.ends[i] > (i > 0 ? words.ends[i - 1] : 0));
    REQUIRE(words.count > 0 ? words.ends[words.count - 1] == ids->count - begin : ids->count == begin);
}

/* What was encoded decodes; written as MIDI it reads again, with as many notes. */
static void check_decoding(struct token_decoder *decoder, const struct tokenizer *tokenizer, const struct token_rows *rows, size_t count, int write)
{
    static struct song song;
    static struct text_buffer midi;
    static struct midi_file again;
    struct reason why;
    (void)tokenizer;
    if (token_decode(decoder, rows, count, NULL, 0, &song, &why) < 0)
        return; /* times beyond the last tick */
    text_clear(&midi);
    if (!write || midi_write(&song, &midi, &why) < 0)
        return;
    size_t notes = 0;
    for (size_t t = 0; t < song.track_count; t++)
        notes += song.tracks[t].note_count;
    int read = midi_file_read((const uint8_t *)midi.bytes, midi.count, &again, &why);
    if (read < 0)
        fprintf(stderr, "%s\n", why.text);
    REQUIRE(read == 0 && again.note_count == notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct midi_input input;
    static struct note_endings endings;
    static struct midi_file file = {.want_controls = 1, .endings = &endings};
    static struct encoder encoder;
    static struct amt_notes amt;
    static struct token_list ids = {.want_times = 1};
    static struct token_decoder *decoders[256];
    struct reason why;
    struct token_rows *rows = NULL;
    if (size < fuzz_trailer_size)
        return 0;
    unsetenv("PATH");
    uint8_t number = data[size - 4];
    const struct tokenizer *tokenizer = fuzz_tokenizer(number);
    file.lenient = data[size - 3] & 1;
    if (midi_input_read(data, size - fuzz_trailer_size, &input, &file, &why) < 0)
        return 0;
    ids.count = 0;
    REQUIRE(amt_encode(&amt, &file, &ids, &why) == 0 && ids.count <= AMT_MOST);
    ids.count = 0;
    long sequences = encoder_prepare(&encoder, tokenizer, &file, &why), done = 0;
    REQUIRE(sequences >= 0 || !is_out_of_memory(&why));
    rows = calloc(sequences > 0 ? (size_t)sequences : 1, sizeof *rows);
    size_t *ends = calloc(sequences > 0 ? (size_t)sequences : 1, sizeof *ends);
    REQUIRE(rows && ends);
    for (size_t begin = 0; done < sequences && encoder_encode(&encoder, tokenizer, done, MOST, &ids, &why) == 0; begin = ids.count) {
        if (tokenizer->vocabulary.column_count == 1 && ids.count > begin)
            check_words(tokenizer, &file, &encoder, &ids, begin);
        ends[done++] = ids.count;
    }
    if (done == sequences) {
        check_ids(tokenizer, &ids);
        if (!decoders[number])
            decoders[number] = token_decoder_open(tokenizer);
        REQUIRE(decoders[number]);
        size_t width = token_decoder_width(decoders[number]), begin = 0;
        for (long i = 0; i < sequences; i++) {
            rows[i] = (struct token_rows){.ids = ids.ids + begin, .count = (ends[i] - begin) / width};
            begin = ends[i];
        }
        if (ids.count > 0)
            check_decoding(decoders[number], tokenizer, rows, (size_t)sequences, data[size - 2] % 8 == 0);
    }
    free(rows);
    free(ends);
    return 0;
}
