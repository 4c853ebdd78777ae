/* tok2midi: tokens to a MIDI file.
 *
 * IN is a MidiTok token file (or a bare list of ids), or, with --item, a file of many: a .tok shard, a processed_data.json, a checkpoint, any list or lines of JSON objects with
 * "midi_tokens" or "tokens". OUT is written by libsmf and appears complete or not at all. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/atomic_file.h"
#include "lib/message.h"
#include "lib/midi_writer.h"
#include "lib/numbers.h"
#include "lib/operands.h"
#include "lib/token_decoder.h"
#include "lib/token_input.h"
#include "lib/tokenizer.h"
#include "lib/tokenizer_options.h"
#include "lib/trained_encoder.h"

/* What a trained model's ids may become at most; a subword of a bar is some hundred tokens long, but hardly any is. */
#define MOST_TOKENS ((size_t)4 * 1024 * 1024)
#define MOST_TOKENS_AN_ID 8

static const char usage[] =
    "usage: tok2midi [options] IN OUT.mid\n"
    "Turns tokens into a MIDI file. IN is a MidiTok token file, a list of ids, or, with --item, a .tok shard, a processed_data.json or a checkpoint.\n"
    "The tokenizer must be the one that the tokens were made with, and is chosen as in midi2tok:\n"
    "  --tokenizer NAME  the tokenization, in MidiTok's default configuration with programs on: REMI (the default), REMIPlus, TSD, MIDILike, Structured,\n"
    "                    CPWord, Octuple, MuMIDI, MMM, PerTok; AMT, the earlier Python system's\n"
    "  --no-programs     MidiTok's plain default: no Program tokens, one list of tokens per track\n"
    "  --config FILE     the tokenizer of a tokenizer.json written by MidiTok, or by midi2tok's --save-config\n"
    "  --set FIELD=VALUE set a field of MidiTok's TokenizerConfig\n"
    "  --item N          which item of a file of many, counted from 0\n"
    "  --help, --version\n";

struct settings { struct tokenizer_options tokenizer; size_t item; };

/* Everything that is made on the way. */
struct work {
    struct tokenizer tokenizer;
    struct trained_encoder trained; /* a model of --config's, or none */
    struct token_decoder *decoder;
    struct token_input tokens;
    struct token_rows *rows;
    size_t row_count;
    struct token_ids base; /* of all sequences, where a model had encoded them */
    struct song song;
    struct text_buffer midi;
};

/* Sequences of a trained model's ids become such of base ids. In a dataset midi2tok has put them through the model; a token file says so, or MidiTok guesses. */
static int decode_subwords(struct work *work, const struct settings *settings, struct reason *why)
{
    const struct trained_model *model = work->trained.model;
    for (size_t i = 0; i < work->row_count; i++) {
        struct token_rows *rows = &work->rows[i];
        size_t begin = work->base.count, most = MOST_TOKENS + MOST_TOKENS_AN_ID * work->tokens.id_count;
        int encoded = rows->encoded < 0 && settings->item != TOKEN_INPUT_NO_ITEM ? 1 : rows->encoded;
        if (trained_model_decode(model, rows->ids, rows->count, encoded, most, &work->base, why) < 0)
            return -1;
        rows->count = work->base.count - begin;
    }
    size_t begin = 0;
    for (size_t i = 0; i < work->row_count; begin += work->rows[i++].count)
        work->rows[i].ids = work->base.ids + begin;
    return 0;
}

static int decode(struct work *work, const struct settings *settings, const char *in, struct reason *why)
{
    if (token_input_read(in, settings->item, &work->tokens, why) < 0 ||
        token_input_arrange(&work->tokens, token_decoder_least_width(work->decoder), token_decoder_width(work->decoder),
                           !config_one_sequence(&work->tokenizer.config), &work->rows, &work->row_count, why) < 0)
        return -1;
    if (work->trained.model && decode_subwords(work, settings, why) < 0)
        return -1;
    const struct token_program *programs = work->tokens.program_count > 0 ? work->tokens.programs : NULL;
    if (token_decode(work->decoder, work->rows, work->row_count, programs, work->tokens.program_count, &work->song, why) < 0)
        return -1;
    return midi_write(&work->song, &work->midi, why);
}

static int write_midi(const struct work *work, const char *path, struct reason *why)
{
    struct atomic_file *out = atomic_file_open(path, why);
    if (!out)
        return -1;
    atomic_file_write(out, work->midi.bytes, work->midi.count);
    return atomic_file_commit(out, why);
}

static int convert(struct work *work, const struct settings *settings, const char *in, const char *out)
{
    struct reason why;
    if (tokenizer_options_load(&settings->tokenizer, &work->tokenizer, &why) < 0 ||
        trained_encoder_open(&work->trained, settings->tokenizer.config, &work->tokenizer, &why) < 0)
        return tokenizer_options_report(&why);
    work->decoder = token_decoder_open(&work->tokenizer);
    if (!work->decoder) {
        message(MESSAGE_ERROR, NULL, "out of memory");
        return 1;
    }
    if (decode(work, settings, in, &why) < 0) {
        message(MESSAGE_ERROR, in, "not decoded: %s", why.text);
        return 1;
    }
    if (write_midi(work, out, &why) < 0) {
        message(MESSAGE_ERROR, out, "%s", why.text);
        return 1;
    }
    return 0;
}

static void free_work(struct work *work)
{
    token_decoder_close(work->decoder);
    token_input_free(&work->tokens);
    free(work->rows);
    song_free(&work->song);
    free(work->base.ids);
    trained_encoder_free(&work->trained);
    tokenizer_free(&work->tokenizer);
    text_free(&work->midi);
}

int main(int argc, char **argv)
{
    enum { TOKENIZER = 256, CONFIG, NO_PROGRAMS, SET, ITEM, HELP, VERSION };
    static const struct option options[] = {
        {"tokenizer", required_argument, NULL, TOKENIZER},
        {"config", required_argument, NULL, CONFIG},
        {"no-programs", no_argument, NULL, NO_PROGRAMS},
        {"set", required_argument, NULL, SET},
        {"item", required_argument, NULL, ITEM},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    static struct work work;
    struct settings settings = {.item = TOKEN_INPUT_NO_ITEM};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case TOKENIZER: settings.tokenizer.name = optarg; break;
        case CONFIG: settings.tokenizer.config = optarg; break;
        case NO_PROGRAMS: settings.tokenizer.no_programs = 1; break;
        case SET:
            if (settings.tokenizer.set_count == TOKENIZER_MOST_SETS)
                return usage_error("--set: more than %d", TOKENIZER_MOST_SETS);
            settings.tokenizer.sets[settings.tokenizer.set_count++] = optarg;
            break;
        case ITEM:
            if (whole_number(optarg, 0, (size_t)1 << 40, &settings.item) < 0)
                return usage_error("--item %s: a whole number is needed", optarg);
            break;
        case HELP: fputs(usage, stdout); return fflush(stdout) ? 1 : 0;
        case VERSION: print_version(); return fflush(stdout) ? 1 : 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("IN and OUT are needed");
    if (check_out(argv[optind], argv[optind + 1]) != 0)
        return 2;
    int result = convert(&work, &settings, argv[optind], argv[optind + 1]);
    free_work(&work);
    return result;
}
