/* midi2tok: MIDI files to tokens.
 *
 * IN is a MIDI file (or what midi_input.h makes one of) and OUT a MidiTok token file (JSON), or, where OUT ends in .tok, IN is a shard list of plan's (item_list.h) and OUT a shard
 * (shard.h). In a shard an item that cannot be tokenized is quarantined: it keeps its place, with the reason. A file that is no longer what
 * plan saw fails the shard, because the shard's name says what is in it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/amt.h"
#include "lib/atomic_file.h"
#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/item_guard.h"
#include "lib/item_list.h"
#include "lib/large_pages.h"
#include "lib/limited_items.h"
#include "lib/message.h"
#include "lib/midi_file.h"
#include "lib/midi_input.h"
#include "lib/midi_key.h"
#include "lib/midi_record.h"
#include "lib/numbers.h"
#include "lib/operands.h"
#include "lib/progress.h"
#include "lib/reuse.h"
#include "lib/text_buffer.h"
#include "lib/tok_shard.h"
#include "lib/token_file.h"
#include "lib/tokenizer.h"
#include "lib/tokenizer_options.h"
#include "lib/trained_encoder.h"
#include "lib/whole_file.h"

/* To be raised whenever the same file gives other tokens or another record than before. */
#define ALGORITHM 3

/* What a file may give at most: no music comes near it, but a single absurd time would give hundreds of millions of empty bars. */
#define MOST_TOKENS(file_bytes) ((size_t)4 * 1024 * 1024 + 8 * (file_bytes))

static const char usage[] =
    "usage: midi2tok [options] IN OUT\n"
    "Turns a MIDI file IN into a MidiTok token file OUT (JSON), or, if OUT ends in .tok, a shard list IN into a shard OUT.\n"
    "IN may also be gzip-compressed, or ABC notation, which needs abc2midi (Debian package abcmidi).\n"
    "  --tokenizer NAME  the tokenization, in MidiTok's default configuration with programs on: REMI (the default), REMIPlus, TSD, MIDILike, Structured,\n"
    "                    CPWord, Octuple, MuMIDI, MMM, PerTok; AMT, the earlier Python system's\n"
    "  --lenient         of a damaged or truncated file take the complete events before the fault\n"
    "  --no-programs     MidiTok's plain default: no Program tokens, one list of tokens per track\n"
    "  --config FILE     the tokenizer of a tokenizer.json written by MidiTok, or by --save-config\n"
    "  --set FIELD=VALUE set a field of MidiTok's TokenizerConfig, the value as in JSON: --set num_velocities=16 --set 'beat_res={\"0_4\":8}'\n"
    "  --save-config FILE  write the tokenizer as a tokenizer.json; IN and OUT may be left out then\n"
    "  --batch-size N    items between reports of progress (32)\n"
    "  --reuse FILE      finished shards, one a line: items that they hold are copied\n"
    "  --signature       print the hash of everything but the input that decides the output\n"
    "  --help, --version\n";

struct settings { int lenient; };

/* Everything that is kept from file to file. */
struct work {
    struct settings settings;
    /* for a shard only */
    struct guard *guard;
    struct guard_limits limits;
    const char *list; /* of the shard at work */
    struct reuse *reuse;
    size_t batch;
    struct whole_file file;
    struct midi_converter converter;
    struct midi_input input;
    struct midi_file midi;
    struct tokenizer tokenizer;
    struct encoder encoder;
    struct amt_notes amt;
    struct note_endings endings; /* for AMT */
    struct trained_encoder trained; /* a model of --config's, or none */
    struct tok_shard shard;
    struct text_buffer record;
};

static void free_work(struct work *work)
{
    reuse_close(work->reuse);
    whole_file_free(&work->file);
    midi_input_free(&work->input);
    midi_file_free(&work->midi);
    encoder_free(&work->encoder);
    amt_free(&work->amt);
    note_endings_free(&work->endings);
    trained_encoder_free(&work->trained);
    tokenizer_free(&work->tokenizer);
    tok_shard_free(&work->shard);
    text_free(&work->record);
}

/* Everything but the input that decides the tokens. */
static int signature_of(const struct work *work, char hex[HASH_HEX + 1], struct reason *why)
{
    struct text_buffer text = {0};
    text_printf(&text, "midi2tok %d %s, %s ", ALGORITHM, work->settings.lenient ? "lenient" : "strict",
                tokenization_names[work->tokenizer.config.tokenization]);
    if (work->tokenizer.config.tokenization != AMT)
        tokenizer_config_write_fields(&work->tokenizer.config, &text);
    else
        text_add_string(&text, "notes as they end");
    trained_encoder_sign(&work->trained, &text);
    if (!config_one_sequence(&work->tokenizer.config))
        text_add_string(&text, ", programs of tracks recorded");
    int result = text.failed ? fail(why, "out of memory") : 0;
    hash_to_hex(hash_bytes(text.bytes, text.count), hex);
    text_free(&text);
    return result;
}

/* Appends the tokens of the file in work->file to the shard, sequence by sequence. */
static int tokenize(struct work *work, struct reason *why)
{
    const struct tokenizer_config *config = &work->tokenizer.config;
    struct token_list *tokens = &work->shard.tokens;
    work->midi.lenient = (uint8_t)work->settings.lenient;
    int words = trained_encoder_cuts(&work->trained, config);
    work->midi.want_controls = config->use_sustain_pedals || config->use_pitch_bends || words;
    work->midi.want_control_changes = config->use_control_changes || words;
    work->midi.endings = config->tokenization == AMT ? &work->endings : NULL;
    if (midi_input_read(work->file.bytes, work->file.count, &work->input, &work->midi, why) < 0)
        return -1;
    if (config->tokenization == AMT)
        return amt_encode(&work->amt, &work->midi, tokens, why) < 0 ? -1 : tok_shard_end_sequence(&work->shard, why);
    long sequences = encoder_prepare(&work->encoder, &work->tokenizer, &work->midi, why);
    size_t most = tokens->count + MOST_TOKENS(work->file.count);
    for (long i = 0; i < sequences; i++)
        if (trained_encoder_encode(&work->trained, &work->encoder, &work->tokenizer, &work->midi, i, most, tokens, why) < 0 ||
            tok_shard_end_sequence(&work->shard, why) < 0)
            return -1;
    return sequences < 0 ? -1 : 0;
}

/* ---- a single file ---- */

static int write_token_file(const struct work *work, const char *path, struct reason *why)
{
    struct text_buffer text = {0};
    add_token_file(&text, &work->shard, config_one_sequence(&work->tokenizer.config) ? NULL : &work->encoder.score, work->trained.model != NULL);
    if (text.failed) {
        text_free(&text);
        return fail(why, "out of memory");
    }
    struct atomic_file *out = atomic_file_open(path, why);
    if (out)
        atomic_file_write(out, text.bytes, text.count);
    int result = out ? atomic_file_commit(out, why) : -1;
    text_free(&text);
    return result;
}

static int tokenize_file(struct work *work, const char *in, const char *out)
{
    struct reason why;
    if (whole_file_read(in, &work->file, &why) < 0 || tokenize(work, &why) < 0) {
        message(MESSAGE_ERROR, in, "not tokenized: %s", why.text);
        return 1;
    }
    if (write_token_file(work, out, &why) < 0) {
        message(MESSAGE_ERROR, out, "%s", why.text);
        return 1;
    }
    return 0;
}

/* ---- a shard ---- */

enum outcome { DONE, COPIED, QUARANTINED, CHANGED, FAILED };

/* MidiTok makes bars without music of a file without notes. That is what it is asked for with a single file; in a dataset it would be of no use. */
static int tokenize_music(struct work *work, struct reason *why)
{
    if (tokenize(work, why) < 0)
        return -1;
    if (work->midi.note_count == 0)
        return work->midi.is_damaged ? fail(why, "no notes before %s", work->midi.damage.text) : fail(why, "no notes");
    const struct tokenizer_config *config = &work->tokenizer.config;
    if (config->tokenization == AMT && work->endings.count == 0)
        return fail(why, "no notes that last");
    if (config->tokenization != AMT && work->encoder.score.note_count == 0)
        return fail(why, "no notes from pitch %d to %d (drums: %d to %d)%s", config->pitch_range.first, config->pitch_range.last,
                    config->drums_pitch_range.first, config->drums_pitch_range.last, config->programs.count < 129 ? " of the programs in use" : "");
    return 0;
}

/* With one list a track: which program plays each, as in a token file ("programs":[[program,is_drum],…]). */
static void add_track_programs(struct work *work)
{
    const struct grid_score *score = &work->encoder.score;
    text_add_string(&work->record, ",\"programs\":[");
    for (size_t i = 0; i < score->track_count; i++)
        text_printf(&work->record, "%s[%d,%s]", i > 0 ? "," : "", score->tracks[i].program, score->tracks[i].is_drum ? "true" : "false");
    text_add_string(&work->record, "]");
}

/* FAILED with `why`; the other outcomes are in the shard or reported. */
static enum outcome add_item(struct work *work, const struct item *item, size_t index, struct reason *why)
{
    const char *error = item->unusable ? item->unusable : guard_verdict(work->guard, index);
    size_t place;
    const struct shard *finished = error ? NULL : reuse_find(work->reuse, item->key, &place);
    if (finished)
        return tok_shard_copy_item(&work->shard, finished, place, !config_one_sequence(&work->tokenizer.config), why) < 0 ? FAILED : COPIED;
    if (!error && whole_file_read(item->value, &work->file, why) < 0) {
        if (!is_out_of_memory(why)) {
            message(MESSAGE_ERROR, item->value, "changed during the run: %s; run make again", why->text);
            return CHANGED;
        }
        if (!work->limits.memory)
            return FAILED;
        error = OVER_ITEM_MEMORY;
    }
    struct hash key;
    if (!error && midi_key(work->file.bytes, work->file.count, &work->converter, &key, why) < 0)
        return FAILED;
    if (!error && !limited_key_is(item->key, key)) {
        message(MESSAGE_ERROR, item->value, "changed during the run; run make again");
        return CHANGED;
    }
    if (!error && tokenize_music(work, why) < 0) {
        if (is_out_of_memory(why) && !work->limits.memory)
            return FAILED;
        error = is_out_of_memory(why) ? OVER_ITEM_MEMORY : why->text;
    }
    if (error) {
        if (!guard_told(work->guard, index))
            progress_name_quarantined(item->value, "not tokenized: %s", error);
        if (error_is_of_a_limit(error) && limited_items_note(work->list, item->key, why) < 0)
            return FAILED;
        return tok_shard_quarantine(&work->shard, item->key, error, why) < 0 ? FAILED : QUARANTINED;
    }
    text_clear(&work->record);
    add_midi_record(&work->record, &work->midi);
    if (!config_one_sequence(&work->tokenizer.config))
        add_track_programs(work);
    if (work->record.failed) {
        fail(why, "out of memory");
        return FAILED;
    }
    return tok_shard_end_item(&work->shard, item->key, work->record.bytes, why) < 0 ? FAILED : DONE;
}

/* All items are looked at even if one has changed, so that all that have are named. Returns how many, or -1 with `why`. */
static long add_items(struct work *work, const struct item_list *list, struct reason *why)
{
    long changed = 0;
    struct progress_items items = {0};
    for (size_t i = 0; i < list->count; i++) {
        guard_begin(work->guard, i, 1);
        enum outcome outcome = add_item(work, &list->items[i], i, why);
        guard_begin(work->guard, 0, 0);
        if (outcome == FAILED)
            return -1;
        changed += outcome == CHANGED;
        items.done++;
        items.quarantined += outcome == QUARANTINED;
        items.copied += outcome == COPIED;
        if ((i + 1) % work->batch == 0 || i + 1 == list->count)
            guard_progress(work->guard, items);
    }
    return changed;
}

/* The tokens of a shard need megabytes, as does the music of a long file. */
static void use_large_pages(struct work *work)
{
    const size_t ids = (size_t)64 << 20, heap = (size_t)12 << 20;
    struct token_list *tokens = &work->shard.tokens;
    if (work->limits.memory)
        return;
    large_heap(heap);
    tokens->ids = large_block(ids, ids / 2);
    tokens->capacity = tokens->ids ? ids / sizeof *tokens->ids : 0;
}

struct shard_job { struct work *work; const char *in, *out, *reuse; };

static int tokenize_shard(struct guard *guard, void *context)
{
    struct shard_job *job = context;
    struct work *work = job->work;
    struct item_list list;
    struct reason why;
    char signature[HASH_HEX + 1];
    if (signature_of(work, signature, &why) < 0 || item_list_read(job->in, &list, &why) < 0) {
        message(MESSAGE_ERROR, job->in, "%s", why.text);
        return 1;
    }
    progress_join(PROGRESS_MIDI);
    use_large_pages(work);
    work->guard = guard;
    work->list = job->in;
    work->reuse = reuse_open(job->reuse, TOK_FORMAT, signature, &why);
    long changed = work->reuse ? add_items(work, &list, &why) : -1;
    item_list_free(&list);
    if (changed == 0 && tok_shard_write(&work->shard, job->out, signature, !config_one_sequence(&work->tokenizer.config), &why) < 0)
        changed = -1;
    if (changed < 0)
        message(MESSAGE_ERROR, job->out, "%s", why.text);
    free_work(work);
    return changed ? 1 : 0;
}

static int tokenize_shard_guarded(struct shard_job *job)
{
    struct reason why;
    if (guard_limits_read(&job->work->limits, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 2;
    }
    int status = guard_run(&job->work->limits, tokenize_shard, job, &why);
    if (status < 0)
        message(MESSAGE_ERROR, job->in, "%s", why.text);
    return status < 0 ? 1 : status;
}

/* ---- the program ---- */

/* --help, --version and wrong usage end the program: its exit status; else -1. */
static int read_options(int argc, char **argv, struct work *work, struct tokenizer_options *tokenizer, const char **reuse, int *print_signature)
{
    enum { TOKENIZER = 256, NO_PROGRAMS, CONFIG, SET, SAVE_CONFIG, LENIENT, BATCH, REUSE, SIGNATURE, HELP, VERSION };
    static const struct option options[] = {
        {"tokenizer", required_argument, NULL, TOKENIZER},
        {"no-programs", no_argument, NULL, NO_PROGRAMS},
        {"config", required_argument, NULL, CONFIG},
        {"set", required_argument, NULL, SET},
        {"save-config", required_argument, NULL, SAVE_CONFIG},
        {"lenient", no_argument, NULL, LENIENT},
        {"batch-size", required_argument, NULL, BATCH},
        {"reuse", required_argument, NULL, REUSE},
        {"signature", no_argument, NULL, SIGNATURE},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case TOKENIZER: tokenizer->name = optarg; break;
        case NO_PROGRAMS: tokenizer->no_programs = 1; break;
        case CONFIG: tokenizer->config = optarg; break;
        case SAVE_CONFIG: tokenizer->save = optarg; break;
        case SET:
            if (tokenizer->set_count == TOKENIZER_MOST_SETS)
                return usage_error("--set: more than %d", TOKENIZER_MOST_SETS);
            tokenizer->sets[tokenizer->set_count++] = optarg;
            break;
        case LENIENT: work->settings.lenient = 1; break;
        case BATCH:
            if (whole_number(optarg, 1, 1 << 20, &work->batch) < 0)
                return usage_error("BATCH_SIZE=%s: a whole number from 1 to %d is needed", optarg, 1 << 20);
            break;
        case REUSE: *reuse = optarg; break;
        case SIGNATURE: *print_signature = 1; break;
        case HELP: fputs(usage, stdout); return fflush(stdout) ? 1 : 0;
        case VERSION: print_version(); return fflush(stdout) ? 1 : 0;
        default: return 2;
        }
    }
    return -1;
}

static int print_signature_of(const struct work *work)
{
    struct reason why;
    char signature[HASH_HEX + 1];
    if (signature_of(work, signature, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 1;
    }
    if (puts(signature) >= 0 && fflush(stdout) == 0)
        return 0;
    message(MESSAGE_ERROR, NULL, "the signature cannot be printed: %s", strerror(errno));
    return 1;
}

/* A trained tokenizer is saved as it is: its model belongs to its vocabulary. */
static int save_config(const struct work *work, const struct tokenizer_options *options, struct reason *why)
{
    if (!work->trained.model)
        return tokenizer_options_save(options, &work->tokenizer, why);
    return options->set_count > 0 ? fail(why, "a trained tokenizer is saved as it is, without --set") : atomic_file_copy(options->config, options->save, why);
}

static int run(struct work *work, const struct tokenizer_options *options, const char *reuse, int operands, char **operand)
{
    struct reason why;
    if (options->save && save_config(work, options, &why) < 0) {
        message(MESSAGE_ERROR, options->save, "%s", why.text);
        return 1;
    }
    if (options->save && operands == 0)
        return 0;
    if (operands != 2)
        return usage_error("IN and OUT are needed");
    const char *in = operand[0], *out = operand[1];
    if (check_out(in, out) != 0)
        return 2;
    struct shard_job job = {work, in, out, reuse};
    return ends_with(out, ".tok") ? tokenize_shard_guarded(&job) : tokenize_file(work, in, out);
}

int main(int argc, char **argv)
{
    static struct work work = {.batch = 32}; /* a configuration is too large for the stack */
    struct tokenizer_options options = {0};
    struct reason why;
    const char *reuse = NULL;
    int print_signature = 0;
    if (message_init(argv[0]) < 0)
        return 2;
    int result = read_options(argc, argv, &work, &options, &reuse, &print_signature);
    if (result >= 0)
        return result;
    if (tokenizer_options_load(&options, &work.tokenizer, &why) < 0 || trained_encoder_open(&work.trained, options.config, &work.tokenizer, &why) < 0) {
        free_work(&work);
        return tokenizer_options_report(&why);
    }
    work.shard.columns = work.tokenizer.config.tokenization == AMT ? 1 : work.tokenizer.vocabulary.column_count;
    result = print_signature ? print_signature_of(&work) : run(&work, &options, reuse, argc - optind, argv + optind);
    free_work(&work);
    return result;
}
