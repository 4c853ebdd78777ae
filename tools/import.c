/* import: takes over work done earlier, from JSON checkpoints: those of the earlier Python system in all its forms, and those of `make checkpoint`.
 *
 * A record is matched by the file's path or by the text, never by position, and taken over only if it is what the present settings would make:
 *   - Reprise's own checkpoint states its signature, and each record the hash of the content and of the result: all must be equal;
 *   - one that states nothing is compared on a sample, made again (sample_check.h), and a text's record counts only if the text and its
 *     cleaned form, which the earlier system embedded, are the same to the model. Of a MIDI file such a record gives the tokens; what is known of the file is read from it.
 * What is not taken over is reported and computed by the next make. The results become shards that plan names for reuse (imported_shards.h). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/checkpoint_file.h"
#include "lib/checkpoint_item.h"
#include "lib/clean_text.h"
#include "lib/imported_shards.h"
#include "lib/known_shards.h"
#include "lib/limited_items.h"
#include "lib/message.h"
#include "lib/midi_file.h"
#include "lib/midi_input.h"
#include "lib/midi_key.h"
#include "lib/midi_record.h"
#include "lib/model_folder.h"
#include "lib/plan_record.h"
#include "lib/sample_check.h"
#include "lib/text_tokenizer.h"
#include "lib/wanted_items.h"
#include "lib/whole_file.h"

static const char usage[] =
    "usage: import --tok COMMAND --emb COMMAND --model FOLDER WORK_DIR PLAN MIDI_CHECKPOINT TEXT_CHECKPOINT PROCESSING_CHECKPOINT\n"
    "Takes over what the checkpoints hold of PLAN's items, so that make does not compute it again.\n"
    "  --tok COMMAND, --emb COMMAND   midi2tok and text2emb with their options, as the shell takes them\n"
    "  --model FOLDER                 the text encoder's folder\n"
    "  --help, --version\n";

enum outcome { TAKEN, FINISHED, UNKNOWN, CHANGED, UNPROVEN, BROKEN, OUTCOMES, FAILED };
enum { SHOWN = 3 }; /* records that are named, of each outcome */

static const char *const outcome_words[OUTCOMES] = {
    "taken over", "finished already", "not in INPUT", "of contents that have changed", "not comparable", "broken",
};

struct import {
    const char *work, *commands[SHARD_KINDS], *model_folder;
    struct plan_record plan;
    struct known_shards *known;
    struct midi_converter converter;
    /* of the checkpoint that is being read */
    enum shard_kind kind;
    struct checkpoint_file file;
    struct wanted_items wanted;
    struct imported_shards shards;
    struct checkpoint_item item;
    struct text_buffer record, scratch;
    struct token_form form; /* of its tokens, where it states nothing */
    size_t counts[OUTCOMES];
    /* to see what a text is to the model, and what is known of a MIDI file; opened when needed */
    struct model_folder *model;
    int32_t *ids[2]; /* [max_tokens + 1] */
    struct whole_file midi_bytes;
    struct midi_input input;
    struct midi_file midi;
};

static const char *command_of(const struct import *import)
{
    return import->commands[import->kind];
}

/* ---- records that state nothing ---- */

static int open_model(struct import *import, struct reason *why)
{
    const struct model_settings settings = MODEL_SETTINGS_NONE;
    if (import->ids[1])
        return 0;
    if (!import->model && !(import->model = model_folder_open(import->model_folder, &settings, why)))
        return -1;
    const struct model_folder *model = import->model;
    for (int i = 0; i < 2; i++)
        if (!import->ids[i] && !(import->ids[i] = malloc((model->max_tokens + 1) * sizeof *import->ids[i])))
            return fail(why, "out of memory");
    return 0;
}

/* The earlier system embedded the cleaned text, up to a limit of its own. 0 if that is the same to the model: same tokens, nothing cut. Fills item->n_tokens. 1 with
 * `why` if not; -1 with `why`. */
static int compare_cleaned(struct import *import, struct reason *why)
{
    struct checkpoint_item *item = &import->item;
    if (open_model(import, why) < 0)
        return -1;
    const size_t most = import->model->max_tokens;
    const struct text_buffer *texts[2] = {&item->name, &item->cleaned};
    long counts[2];
    for (int i = 0; i < 2; i++)
        if ((counts[i] = text_tokenizer_encode(import->model->tokenizer, texts[i]->bytes ? texts[i]->bytes : "", texts[i]->count, most + 1, import->ids[i], why)) < 0)
            return 1;
    item->n_tokens = (int32_t)counts[0];
    text_clear(&import->scratch);
    text_add(&import->scratch, "", 0);
    if (clean_text(item->name.bytes, item->name.count, &import->scratch, why) < 0)
        return 1;
    if (import->scratch.count != item->cleaned.count || memcmp(import->scratch.bytes, item->cleaned.bytes ? item->cleaned.bytes : "", item->cleaned.count) != 0) {
        fail(why, "its cleaned_text is not that of its original_text");
        return 1;
    }
    if ((size_t)counts[0] > most || counts[0] != counts[1] || memcmp(import->ids[0], import->ids[1], (size_t)counts[0] * sizeof *import->ids[0]) != 0) {
        fail(why, (size_t)counts[0] > most ? "the text is longer than the model reads" : "it is of the cleaned text, which means something else to the model");
        return 1;
    }
    return 0;
}

/* What is known of the file, from the file itself: the earlier system recorded other things. 0, 1 with `why`, -1 without memory. */
static int read_midi(struct import *import, const struct wanted_item *wanted, struct reason *why)
{
    const char *path = import->wanted.paths.bytes + wanted->path;
    struct text_buffer *members = &import->item.members;
    text_clear(members);
    if (whole_file_read(path, &import->midi_bytes, why) < 0)
        return 1;
    struct hash key;
    if (midi_key(import->midi_bytes.bytes, import->midi_bytes.count, &import->converter, &key, why) < 0)
        return 1;
    if (!limited_key_is(wanted->key, key)) {
        fail(why, "the file changed meanwhile");
        return 1;
    }
    if (midi_input_read(import->midi_bytes.bytes, import->midi_bytes.count, &import->input, &import->midi, why) < 0)
        return 1;
    add_midi_record(members, &import->midi);
    return members->failed ? fail(why, "out of memory") : 0;
}

/* ---- one record ---- */

/* Whether the record in import->item can be taken over: TAKEN, or why not. */
static enum outcome judge(struct import *import, const struct wanted_item *wanted, struct reason *why)
{
    if (wanted->finished)
        return FINISHED;
    if (!import->file.stated) {
        int differs = import->kind == SHARD_OF_MIDI ? read_midi(import, wanted, why) : compare_cleaned(import, why);
        return differs < 0 ? FAILED : differs > 0 ? UNPROVEN : TAKEN;
    }
    if (import->kind == SHARD_OF_MIDI && checkpoint_item_lay_out(&import->item, &import->item.form, why) < 0)
        return is_out_of_memory(why) ? FAILED : BROKEN;
    int intact = checkpoint_item_is_intact(&import->item, import->kind);
    if (intact < 0) {
        fail(why, "out of memory");
        return FAILED;
    }
    if (!intact) {
        fail(why, "it is not what was written: it has not the hash that it states");
        return BROKEN;
    }
    if (limited_key_is(wanted->key, import->item.key))
        return TAKEN;
    fail(why, "the contents have changed since");
    return CHANGED;
}

/* Parses the record, finds what it is about, and judges it. */
static enum outcome examine(struct import *import, const struct wanted_item **wanted, struct reason *why)
{
    struct checkpoint_item *item = &import->item;
    if (checkpoint_item_parse(item, import->kind, import->record.bytes, why) < 0)
        return is_out_of_memory(why) ? FAILED : BROKEN;
    *wanted = wanted_items_find(&import->wanted, item->name.bytes, item->name.count);
    if (*wanted)
        return judge(import, *wanted, why);
    fail(why, "not in INPUT");
    return UNKNOWN;
}

/* A record that states nothing: its tokens as the present tokenizer's lie, and what is recorded where that makes a list a track. */
static enum outcome complete(struct import *import, struct reason *why)
{
    struct checkpoint_item *item = &import->item;
    struct json_span program;
    size_t programs = 0;
    if (checkpoint_item_lay_out(item, &import->form, why) < 0)
        return is_out_of_memory(why) ? FAILED : BROKEN;
    if (!item->layout.sequences)
        return TAKEN;
    for (const char *cursor = item->programs.bytes; item->programs.count > 0 && json_next_element(&cursor, &program);)
        programs++;
    if (programs != item->layout.sequence_count) {
        fail(why, "it has not the program of each track");
        return UNPROVEN;
    }
    text_add_string(&item->members, ",\"programs\":");
    text_add(&item->members, item->programs.bytes, item->programs.count);
    return item->members.failed ? (fail(why, "out of memory"), FAILED) : TAKEN;
}

static enum outcome take(struct import *import, const struct wanted_item *wanted, struct reason *why)
{
    const struct checkpoint_item *item = &import->item;
    enum outcome outcome = import->kind == SHARD_OF_MIDI && !import->file.stated ? complete(import, why) : TAKEN;
    if (outcome != TAKEN)
        return outcome;
    if (imported_shards_next(&import->shards, item->shard, why) < 0)
        return FAILED;
    int result = import->kind == SHARD_OF_MIDI
                     ? imported_shards_add_tokens(&import->shards, wanted->key, &item->layout, item->members.bytes ? item->members.bytes : "", why)
                     : imported_shards_add_embedding(&import->shards, wanted->key, (const float *)(const void *)item->row.bytes, item->dimension, item->n_tokens, why);
    return result < 0 ? FAILED : result > 0 ? BROKEN : TAKEN;
}

static void report(struct import *import, enum outcome outcome, const struct reason *why)
{
    if (outcome == TAKEN || outcome == FINISHED || import->counts[outcome] >= SHOWN)
        return;
    const struct text_buffer *name = &import->item.name;
    message(MESSAGE_WARNING, import->file.path, "record %zu (%.60s): not taken over: %s", import->file.next, name->count ? name->bytes : "nameless", why->text);
}

static int take_records(struct import *import, struct reason *why)
{
    int more;
    if (checkpoint_file_rewind(&import->file, why) < 0)
        return -1;
    while ((more = checkpoint_file_next(&import->file, &import->record, why)) > 0) {
        const struct wanted_item *wanted = NULL;
        enum outcome outcome = examine(import, &wanted, why);
        if (outcome == TAKEN)
            outcome = take(import, wanted, why);
        if (outcome == FAILED)
            return -1;
        report(import, outcome, why);
        import->counts[outcome]++;
    }
    return more < 0 ? -1 : imported_shards_flush(&import->shards, why);
}

/* ---- one checkpoint ---- */

static int keep_sample(struct import *import, const struct wanted_item *wanted, struct sample *sample, struct checkpoint_item *kept, struct reason *why)
{
    checkpoint_item_free(kept);
    if (checkpoint_item_parse(kept, import->kind, import->record.bytes, why) < 0)
        return -1;
    *sample = (struct sample){kept, wanted->key, import->kind == SHARD_OF_MIDI ? import->wanted.paths.bytes + wanted->path : NULL};
    return 0;
}

/* Samples are the first of what could be taken over, the last, and one on the way. 0: they agree, or there is nothing to take; 1 with `why`; -1 with `why`. */
static int prove(struct import *import, struct reason *why)
{
    struct sample samples[SAMPLE_SIZE];
    struct checkpoint_item kept[SAMPLE_SIZE] = {0};
    size_t found = 0;
    int more, result = 0;
    while (result == 0 && (more = checkpoint_file_next(&import->file, &import->record, why)) > 0) {
        const struct wanted_item *wanted = NULL;
        enum outcome outcome = examine(import, &wanted, why);
        if (outcome == FAILED)
            result = -1;
        if (outcome != TAKEN)
            continue;
        size_t place = found < SAMPLE_SIZE ? found : (found & (found - 1)) == 0 ? 1 : 2;
        result = keep_sample(import, wanted, &samples[place], &kept[place], why);
        found++;
    }
    if (result == 0 && more < 0)
        result = -1;
    if (result == 0 && found > 0)
        result = sample_check(import->kind, command_of(import), import->work, samples, found < SAMPLE_SIZE ? found : SAMPLE_SIZE, &import->form, why);
    for (int i = 0; i < SAMPLE_SIZE; i++)
        checkpoint_item_free(&kept[i]);
    return result;
}

static void summarize(const struct import *import)
{
    struct text_buffer text = {0};
    for (int outcome = FINISHED; outcome < OUTCOMES; outcome++)
        if (import->counts[outcome] > 0)
            text_printf(&text, ", %zu %s", import->counts[outcome], outcome_words[outcome]);
    if (message_shown(MESSAGE_INFO) && !text.failed)
        printf("Reprise: %s: %zu of %zu records taken over%s\n", import->file.path, import->counts[TAKEN], import->file.records, text.bytes ? text.bytes : "");
    fflush(stdout);
    text_free(&text);
}

/* 0; 1 with `why`: nothing of it is used; -1 with `why`. */
static int import_records(struct import *import, struct reason *why)
{
    const char *signature = import->kind == SHARD_OF_MIDI ? import->plan.tok : import->plan.emb;
    import->shards = (struct imported_shards){.kind = import->kind, .work = import->work, .signature = signature, .known = import->known};
    if (import->file.stated && strcmp(import->file.signature, signature) != 0) {
        fail(why, "it was made with other settings (signature %s, now %s)", import->file.signature, signature);
        return 1;
    }
    if (wanted_items_read(&import->wanted, import->work, &import->plan, import->kind, why) < 0)
        return -1;
    int result = import->file.stated ? 0 : prove(import, why);
    return result != 0 ? result : take_records(import, why);
}

/* 1: it was read; 0: there is none; -1 after reporting. */
static int import_checkpoint(struct import *import, enum shard_kind kind, const char *path)
{
    struct reason why;
    import->kind = kind;
    memset(import->counts, 0, sizeof import->counts);
    int found = checkpoint_file_open(&import->file, path, kind == SHARD_OF_MIDI ? "midi" : "text");
    if (found <= 0)
        return found;
    int result = import_records(import, &why);
    if (result == 0)
        summarize(import);
    else if (result > 0)
        message(MESSAGE_WARNING, import->file.path, "nothing taken over: %s", why.text);
    else
        message(MESSAGE_ERROR, import->file.path, "%s", why.text);
    imported_shards_free(&import->shards);
    wanted_items_free(&import->wanted);
    checkpoint_file_close(&import->file);
    return result < 0 ? -1 : 1;
}

/* It only counts positions, and the earlier system kept its records in the order of completion: nothing can be taken from it, but it is read and told. */
static int read_processing(const char *path)
{
    struct checkpoint_file file;
    int found = checkpoint_file_open(&file, path, NULL);
    if (found <= 0)
        return found;
    if (message_shown(MESSAGE_INFO))
        printf("Reprise: %s: last_processed_idx %s (a position; what is done is told by the records)\n", file.path, file.last_processed_idx);
    checkpoint_file_close(&file);
    return 1;
}

static int import_all(struct import *import, char *const paths[], struct reason *why)
{
    int midi = import_checkpoint(import, SHARD_OF_MIDI, paths[0]), text = import_checkpoint(import, SHARD_OF_TEXT, paths[1]), processing = read_processing(paths[2]);
    if (known_shards_save(import->known, why) < 0)
        return -1;
    if (midi == 0 && text == 0)
        return fail(why, "there is neither %s nor %s", paths[0], paths[1]);
    return midi < 0 || text < 0 || processing < 0 ? fail(why, "not everything could be read") : 0;
}

static void free_import(struct import *import)
{
    known_shards_close(import->known);
    plan_record_free(&import->plan);
    checkpoint_item_free(&import->item);
    text_free(&import->record);
    text_free(&import->scratch);
    model_folder_close(import->model);
    free(import->ids[0]);
    free(import->ids[1]);
    whole_file_free(&import->midi_bytes);
    midi_input_free(&import->input);
    midi_file_free(&import->midi);
}

static int run(struct import *import, const char *plan, char *const paths[])
{
    struct reason why;
    char *known = NULL;
    if (plan_record_read(plan, &import->plan, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 1;
    }
    int result = asprintf(&known, "%s/plan/known", import->work) < 0 ? fail(&why, "out of memory") : 0;
    if (result == 0)
        result = (import->known = known_shards_open(known, &why)) ? import_all(import, paths, &why) : -1;
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    free(known);
    free_import(import);
    return result < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    enum { TOK = 256, EMB, MODEL, HELP, VERSION };
    static const struct option options[] = {
        {"tok", required_argument, NULL, TOK},
        {"emb", required_argument, NULL, EMB},
        {"model", required_argument, NULL, MODEL},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    struct import import = {0};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case TOK: import.commands[SHARD_OF_MIDI] = optarg; break;
        case EMB: import.commands[SHARD_OF_TEXT] = optarg; break;
        case MODEL: import.model_folder = optarg; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 5 || !import.commands[SHARD_OF_MIDI] || !import.commands[SHARD_OF_TEXT] || !import.model_folder)
        return usage_error("--tok, --emb, --model, WORK_DIR, PLAN and three checkpoints are needed");
    import.work = argv[optind];
    return run(&import, argv[optind + 1], argv + optind + 2);
}
