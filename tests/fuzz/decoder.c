/* tok2midi's input: a byte for the tokenizer, a byte for the form, then the text of a token file, or the ids themselves in two bytes each, so that the decoders are
 * reached whatever the text. What decodes can be written as MIDI, and read again with as many notes, or is refused with a reason; that is tried now and then. */
#include "../../tools/lib/midi_file.h"
#include "../../tools/lib/midi_writer.h"
#include "../../tools/lib/token_decoder.h"
#include "target.h"
#include "tokenizers.h"

static int writes;

static void decode(struct token_decoder *decoder, const struct token_rows *rows, size_t count, const struct token_program *programs, size_t program_count)
{
    static struct song song;
    static struct text_buffer midi;
    static struct midi_file again;
    struct reason why;
    if (token_decode(decoder, rows, count, programs, program_count, &song, &why) < 0) {
        REQUIRE(!is_out_of_memory(&why));
        return;
    }
    text_clear(&midi);
    if (!writes || midi_write(&song, &midi, &why) < 0)
        return;
    size_t notes = 0;
    for (size_t t = 0; t < song.track_count; t++)
        notes += song.tracks[t].note_count;
    REQUIRE(midi_file_read((const uint8_t *)midi.bytes, midi.count, &again, &why) == 0 && again.note_count == notes);
}

static void decode_text(struct token_decoder *decoder, const struct tokenizer *tokenizer, const uint8_t *text, size_t size)
{
    static struct token_input input;
    struct token_rows *rows = NULL;
    struct reason why;
    size_t count;
    uint8_t *copy = fuzz_copy(text, size);
    if (token_input_read_text((const char *)copy, size, &input, &why) == 0 &&
        token_input_arrange(&input, token_decoder_least_width(decoder), token_decoder_width(decoder), !config_one_sequence(&tokenizer->config), &rows, &count,
                            &why) == 0)
        decode(decoder, rows, count, input.program_count > 0 ? input.programs : NULL, input.program_count);
    free(rows);
    free(copy);
}

/* Each pair of bytes is an id of its column, so that all are of the vocabulary. */
static void decode_ids(struct token_decoder *decoder, const struct tokenizer *tokenizer, const uint8_t *bytes, size_t size)
{
    size_t width = token_decoder_width(decoder), count = size / 2 / width;
    int32_t *ids = malloc((count * width + 1) * sizeof *ids);
    REQUIRE(ids);
    for (size_t i = 0; i < count * width; i++)
        ids[i] = (int32_t)((bytes[2 * i] | (unsigned)bytes[2 * i + 1] << 8) % tokenizer->vocabulary.columns[i % width].count);
    decode(decoder, &(struct token_rows){.ids = ids, .count = count}, 1, NULL, 0);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_decoder *decoders[256];
    if (size < 2)
        return 0;
    const struct tokenizer *tokenizer = fuzz_tokenizer(data[0]);
    if (!decoders[data[0]])
        decoders[data[0]] = token_decoder_open(tokenizer);
    REQUIRE(decoders[data[0]]);
    writes = fuzz_now_and_then(data, size, 8);
    if (data[1] & 1)
        decode_ids(decoders[data[0]], tokenizer, data + 2, size - 2);
    else
        decode_text(decoders[data[0]], tokenizer, data + 2, size - 2);
    return 0;
}
