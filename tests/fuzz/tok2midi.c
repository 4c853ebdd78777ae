/* tok2midi's input, for every tokenization: the first byte chooses the tokenizer, the second the form. Text is read as a token file, other bytes are ids at once. What can be
 * decoded and written can be read again, and holds as many notes. */
#include "../../tools/lib/midi_file.h"
#include "../../tools/lib/midi_writer.h"
#include "../../tools/lib/token_decoder.h"
#include "../../tools/lib/token_input.h"
#include "target.h"

struct kind { const char *name; int programs; const char *sets[12]; };
static const struct kind kinds[] = {
    {"REMI", 1, {NULL}},
    {"REMI", 0, {"use_rests=true", "use_tempos=true", "use_sustain_pedals=true", "use_pitch_bends=true", "use_pitch_intervals=true", "use_key_signatures=true", NULL}},
    {"TSD", 1, {"use_rests=true", "use_tempos=true", "use_sustain_pedals=true", "use_pitch_bends=true", "use_pitch_intervals=true", "sustain_pedal_duration=true", NULL}},
    {"TSD", 0, {"use_control_changes=true", "use_velocities=false", "use_chords=true", NULL}},
    {"MIDILike", 1, {"use_rests=true", "use_sustain_pedals=true", "use_pitch_intervals=true", "max_duration=[2,0,4]", NULL}},
    {"MIDILike", 0, {"use_tempos=true", "use_pitch_bends=true", NULL}},
    {"Structured", 1, {NULL}},
    {"CPWord", 1, {"use_rests=true", "use_tempos=true", "use_chords=true", NULL}},
    {"CPWord", 0, {NULL}},
    {"Octuple", 1, {"use_tempos=true", "max_bar_embedding=10000", NULL}},
    {"Octuple", 0, {NULL}},
    {"MuMIDI", 1, {"use_tempos=true", NULL}},
    {"MMM", 1, {"base_tokenizer=REMI", NULL}},
    {"MMM", 1, {"base_tokenizer=MIDILike", "use_pitch_bends=true", NULL}},
    {"PerTok", 1, {"use_sustain_pedals=true", NULL}},
    {"PerTok", 0, {"use_position_toks=true", "use_pitch_bends=true", "use_control_changes=true", NULL}},
    {"AMT", 1, {NULL}},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct tokenizer tokenizers[KINDS];
static struct token_decoder *decoders[KINDS];

static struct token_decoder *decoder_of(size_t i)
{
    struct reason why;
    if (decoders[i])
        return decoders[i];
    REQUIRE(tokenizer_config_default(&tokenizers[i].config, kinds[i].name, kinds[i].programs, &why) == 0);
    for (const char *const *set = kinds[i].sets; *set; set++)
        REQUIRE(tokenizer_config_set(&tokenizers[i].config, *set, &why) == 0);
    REQUIRE(tokenizer_make(&tokenizers[i], &why) == 0);
    decoders[i] = token_decoder_open(&tokenizers[i]);
    REQUIRE(decoders[i]);
    return decoders[i];
}

static size_t notes_of(const struct song *song)
{
    size_t notes = 0;
    for (size_t i = 0; i < song->track_count; i++)
        notes += song->tracks[i].note_count;
    return notes;
}

static void write_and_read(const struct song *song)
{
    static struct text_buffer bytes;
    static struct midi_file file;
    struct reason why;
    text_clear(&bytes);
    if (midi_write(song, &bytes, &why) < 0)
        return;
    uint8_t *copy = fuzz_copy((const uint8_t *)bytes.bytes, bytes.count);
    file.want_controls = 1;
    REQUIRE(midi_file_read(copy, bytes.count, &file, &why) == 0);
    REQUIRE(file.note_count == notes_of(song));
    REQUIRE(file.ticks_per_quarter == song->ticks_per_quarter && file.tempo_count == song->tempo_count);
    free(copy);
}

static void decode(size_t kind, const struct token_rows *rows, size_t count, const struct token_program *programs, size_t program_count)
{
    static struct song song;
    struct reason why;
    if (token_decode(decoder_of(kind), rows, count, programs, program_count, &song, &why) == 0)
        write_and_read(&song);
}

/* A byte an id, of a vocabulary of up to 255: else two. Ids that are not there would end it all at once, so they are brought into the vocabulary. */
static void decode_bytes(size_t kind, const uint8_t *data, size_t size)
{
    size_t width = token_decoder_width(decoder_of(kind)), count = size / 2 / width;
    int32_t *ids = malloc((count * width + 1) * sizeof *ids);
    REQUIRE(ids);
    for (size_t i = 0; i < count * width; i++) {
        int amt = tokenizers[kind].config.tokenization == AMT;
        size_t most = amt ? 125 : tokenizers[kind].vocabulary.columns[i % width].count;
        ids[i] = (int32_t)((size_t)(data[2 * i] | data[2 * i + 1] << 8) % most);
    }
    struct token_rows rows[2] = {{ids, count / 2, -1}, {ids + count / 2 * width, count - count / 2, -1}};
    if (config_one_sequence(&tokenizers[kind].config))
        rows[0].count = count;
    decode(kind, rows, config_one_sequence(&tokenizers[kind].config) ? 1 : 2, NULL, 0);
    free(ids);
}

static void decode_text(size_t kind, const uint8_t *data, size_t size)
{
    static struct token_input input;
    struct token_rows *rows = NULL;
    struct reason why;
    size_t count = 0, width = token_decoder_width(decoder_of(kind));
    uint8_t *copy = fuzz_copy(data, size);
    if (token_input_read_text((const char *)copy, size, &input, &why) == 0 &&
        token_input_arrange(&input, token_decoder_least_width(decoder_of(kind)), width, !config_one_sequence(&tokenizers[kind].config), &rows, &count, &why) == 0)
        decode(kind, rows, count, input.program_count > 0 ? input.programs : NULL, input.program_count);
    free(rows);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t kind = data[0] % KINDS;
    if (data[1] % 4 == 0)
        decode_text(kind, data + 2, size - 2);
    else
        decode_bytes(kind, data + 2, size - 2);
    return 0;
}
