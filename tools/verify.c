/* verify: reads everything again and trusts nothing: every MIDI file and text against the key that the plan has of it (whatever an index says), every finished
 * shard and piece against its checksum, its name and the plan, and the outputs, byte for byte, against the pieces. Each fault is one line.
 *
 * What is at fault is put out of the way, so that the next make mends it: a shard or a piece is set aside (set_aside.h), the outputs' record is withdrawn, an
 * index that told wrong hashes is removed. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/item_list.h"
#include "lib/json_stream.h"
#include "lib/limited_items.h"
#include "lib/message.h"
#include "lib/midi_key.h"
#include "lib/output_record.h"
#include "lib/piece.h"
#include "lib/plan_record.h"
#include "lib/shard.h"
#include "lib/whole_file.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: verify [options] WORK_DIR HASH\n"
    "Checks the inputs, work files and outputs of the plan whose outputs have this hash.\n"
    "  --output DIR   the outputs' folder\n"
    "  --help, --version\n";

/* A file that is read along, to be compared with what it should hold. */
struct expectation { FILE *file; char *path; unsigned long long at; int differs, unreadable; /* unreadable: an errno */ };

struct verification {
    const char *work, *hash, *output;
    struct plan_record plan;
    struct midi_converter converter;
    int complete; /* the outputs' record says that they are those of this plan */
    size_t faults, midi_files, texts, shards, pieces, outputs;
    size_t missing_shards, missing_pieces, pairs, items;
    int stale_index, bad; /* bad: something that was made is at fault */
    struct whole_file content;
    struct piece piece;
    struct expectation data, errors;
};

static void fault(struct verification *verification, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fault(struct verification *verification, const char *path, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message(MESSAGE_ERROR, path, "%s", text);
    verification->faults++;
}

/* Something that was made is at fault for good if it is not there, any more: shards and pieces that are damaged have been set aside by their readers. What could only not be
 * read just now, for want of memory or descriptors or by a failing disk, stays as it is. */
static void fault_of_file(struct verification *verification, const char *path, const char *why)
{
    fault(verification, path, "%s", path ? why : "out of memory");
    verification->bad |= path && is_there(path, NULL) == 0;
}

/* ---- inputs ---- */

static void check_midi_file(struct verification *verification, const struct item *item)
{
    struct reason why;
    struct hash key = {0};
    int read = whole_file_read(item->value, &verification->content, &why);
    if (read == 0)
        read = midi_key(verification->content.bytes, verification->content.count, &verification->converter, &key, &why);
    verification->midi_files++;
    if (item->unusable && read == 0)
        fault(verification, item->value, "can be read now; run make");
    else if (!item->unusable && read < 0)
        fault(verification, item->value, "%s; run make", why.text);
    else if (!item->unusable && !limited_key_is(item->key, key)) {
        fault(verification, item->value, "its contents are not those that the plan knows; run make");
        verification->stale_index = 1;
    }
}

static void check_text(struct verification *verification, const char *list, size_t place, const struct item *item)
{
    verification->texts++;
    if (!item->unusable && !limited_key_is(item->key, hash_bytes(item->value, item->value_length)))
        fault(verification, list, "line %zu: the text does not have the hash that is stated", place + 1);
}

/* ---- shards ---- */

/* A shard against its list; on return the number of its items without an error, or -1 where that is not known. */
static long check_shard(struct verification *verification, enum shard_kind kind, struct hash name, const struct item_list *list)
{
    struct reason why;
    char *path = shard_file(verification->work, kind, kind == SHARD_OF_MIDI ? verification->plan.tok : verification->plan.emb, name);
    int there = is_there(path, &why);
    if (there == 0) {
        verification->missing_shards++;
        free(path);
        return -1;
    }
    struct shard *shard = there > 0 ? shard_open(path, shard_format(kind), &why) : NULL;
    long done = -1;
    verification->shards++;
    if (!shard) {
        fault_of_file(verification, path, why.text);
    } else if (shard_items(shard) != list->count) {
        fault(verification, path, "%zu items, but the plan has %zu", shard_items(shard), list->count);
    } else {
        done = 0;
        for (size_t i = 0; i < list->count; i++) {
            if (!hash_equal(shard_item_key(shard, i), list->items[i].key))
                fault(verification, path, "item %zu is not the one that the plan has there", i + 1);
            done += !shard_item_error(shard, i);
        }
    }
    shard_close(shard);
    free(path);
    return done;
}

static long check_list(struct verification *verification, enum shard_kind kind, struct hash name)
{
    struct item_list list = {0};
    struct reason why;
    char *path = list_file(verification->work, name, kind == SHARD_OF_MIDI ? "midi" : "text");
    long done = -1;
    if (!path || item_list_read(path, &list, &why) < 0) {
        fault(verification, path, "%s", path ? why.text : "out of memory");
    } else {
        for (size_t i = 0; i < list.count; i++)
            if (kind == SHARD_OF_MIDI)
                check_midi_file(verification, &list.items[i]);
            else
                check_text(verification, path, i, &list.items[i]);
        done = check_shard(verification, kind, name, &list);
    }
    item_list_free(&list);
    free(path);
    return done;
}

/* ---- outputs, along with the pieces they are made of ---- */

static void expect(struct expectation *expectation, const char *bytes, size_t count)
{
    char chunk[65536];
    while (expectation->file && !expectation->differs && count > 0) {
        size_t part = count < sizeof chunk ? count : sizeof chunk, got = fread(chunk, 1, part, expectation->file), same = 0;
        if (got == part && memcmp(chunk, bytes, part) == 0) {
            expectation->at += part;
            bytes += part;
            count -= part;
            continue;
        }
        if (ferror(expectation->file))
            expectation->unreadable = errno;
        while (same < got && chunk[same] == bytes[same])
            same++;
        expectation->at += same;
        expectation->differs = 1;
    }
}

static void start_expecting(struct verification *verification, struct expectation *expectation, const char *name)
{
    struct stat status;
    struct reason why;
    if (asprintf(&expectation->path, "%s/%s", verification->output, name) < 0) {
        expectation->path = NULL;
        fault(verification, NULL, "out of memory");
        return;
    }
    int descriptor = open_regular(expectation->path, &status, &why);
    expectation->file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    verification->outputs++;
    if (!expectation->file) {
        int error = errno;
        fault(verification, expectation->path, "%s", descriptor < 0 ? why.text : strerror(error));
        verification->bad |= descriptor < 0 && (error == ENOENT || error == 0); /* 0: something else has its name */
        if (descriptor >= 0)
            close(descriptor);
    }
}

/* `compare` 0: what it should hold is not known to the end. */
static void end_expecting(struct verification *verification, struct expectation *expectation, int compare)
{
    if (compare && expectation->file && !expectation->differs) {
        expectation->differs = fgetc(expectation->file) != EOF;
        if (ferror(expectation->file))
            expectation->unreadable = errno;
    }
    if (compare && expectation->unreadable) {
        fault(verification, expectation->path, "could not be compared: %s", strerror(expectation->unreadable));
    } else if (compare && expectation->differs) {
        fault(verification, expectation->path, "is not what the finished pieces give, from byte %llu on", expectation->at + 1);
        verification->bad = 1;
    }
    if (expectation->file)
        fclose(expectation->file);
    free(expectation->path);
}

static void follow_outputs(struct verification *verification, const struct piece *piece)
{
    struct json_span object;
    if (piece->counts.items > 0 && verification->items > 0)
        expect(&verification->data, ",\n", 2);
    expect(&verification->data, piece->body, piece->body_length);
    for (const char *cursor = piece->errors.text; json_next_element(&cursor, &object);) {
        struct text_buffer line = {0};
        piece_error_line(object, verification->pairs, &line);
        if (line.failed)
            verification->errors.unreadable = ENOMEM;
        else
            expect(&verification->errors, line.bytes, line.count);
        text_free(&line);
    }
    verification->items += piece->counts.items;
    verification->pairs += piece->counts.pairs;
}

static void check_piece(struct verification *verification, const struct shard_names *names, long midi_done, long text_done)
{
    struct piece *piece = &verification->piece;
    struct reason why;
    char *path = piece_file(verification->work, names->piece);
    int there = is_there(path, &why);
    if (there == 0) {
        verification->missing_pieces++;
    } else if (there < 0 || piece_read(path, piece, &why) < 0) {
        fault_of_file(verification, path, why.text);
        verification->missing_pieces++; /* from here on there is nothing to compare the outputs with */
    } else {
        verification->pieces++;
        if (piece->counts.pairs != names->pairs || (midi_done >= 0 && piece->counts.midi_done != (size_t)midi_done) ||
            (text_done >= 0 && piece->counts.text_done != (size_t)text_done))
            fault(verification, path, "its counts are not those of its shards and the plan");
        if (verification->missing_pieces == 0)
            follow_outputs(verification, piece);
    }
    free(path);
}

static int number_is(const char *object, const char *name, size_t wanted)
{
    struct json_span key, value;
    while (json_next_member(&object, &key, &value))
        if (json_string_is(key, name))
            return strtoull(value.text, NULL, 10) == wanted;
    return 0;
}

static void check_statistics(struct verification *verification)
{
    struct json_stream stream;
    struct text_buffer text = {0};
    struct reason why;
    char *path = NULL;
    int read = asprintf(&path, "%s/processing_stats.json", verification->output) < 0 ? fail(&why, "out of memory")
                                                                                     : whole_file_read(path, &verification->content, &why);
    int damaged = read < 0 && (errno == ENOENT || errno == 0);
    if (read == 0) {
        json_stream_memory(&stream, (const char *)verification->content.bytes, verification->content.count);
        read = json_scan_value(&stream, &text, &why);
        damaged = read < 0 && !is_out_of_memory(&why);
    }
    verification->outputs++;
    if (read == 0 && text.failed)
        read = fail(&why, "out of memory");
    if (read < 0)
        fault(verification, path, "%s", why.text);
    else if (*text.bytes != '{' || !number_is(text.bytes, "total_paired_items", verification->pairs) ||
             !number_is(text.bytes, "processed_items", verification->items)) {
        damaged = 1;
        fault(verification, path, "does not count the pairs and items that there are");
    }
    verification->bad |= damaged;
    text_free(&text);
    free(path);
}

/* ---- all of it ---- */

static void check_shards(struct verification *verification)
{
    const struct plan_record *plan = &verification->plan;
    for (size_t i = 0; i < plan->shard_count; i++) {
        long midi_done = check_list(verification, SHARD_OF_MIDI, plan->shards[i].midi), text_done = check_list(verification, SHARD_OF_TEXT, plan->shards[i].text);
        check_piece(verification, &plan->shards[i], midi_done, text_done);
    }
}

/* The outputs are compared even where their record doubts them, so that the one at fault is named. */
static void check_everything(struct verification *verification)
{
    char held[HASH_HEX + 1];
    struct reason why;
    int recorded = output_record_hash(verification->output, held, &why);
    verification->complete = recorded > 0 && strcmp(held, verification->hash) == 0;
    if (recorded < 0) {
        fault(verification, NULL, "%s", why.text);
    } else if (verification->complete) {
        start_expecting(verification, &verification->data, "processed_data.json");
        start_expecting(verification, &verification->errors, "errors.jsonl");
        expect(&verification->data, "[\n", 2);
    } else {
        fault(verification, verification->output, "%s; run make",
              recorded ? "the outputs are those of earlier inputs or settings" : "no outputs are recorded as complete");
    }
    check_shards(verification);
    int compared = verification->complete && verification->missing_pieces == 0;
    if (compared) {
        expect(&verification->data, verification->items > 0 ? "\n]\n" : "]\n", verification->items > 0 ? 3 : 2);
        check_statistics(verification);
    } else {
        verification->outputs = 0;
    }
    end_expecting(verification, &verification->data, compared);
    end_expecting(verification, &verification->errors, compared);
    int current = verification->complete && verification->faults == 0 ? output_record_is_current(verification->output, verification->hash, &why) : 1;
    if (current < 0)
        fault(verification, NULL, "%s", why.text);
    else if (!current)
        fault(verification, verification->output, "the outputs do not have the sizes that are recorded; run make");
}

/* So that the next plan reads every file. */
static void remove_indexes(const struct verification *verification)
{
    char *folder = NULL;
    DIR *entries = asprintf(&folder, "%s/plan", verification->work) >= 0 ? opendir(folder) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending && strcmp(ending, ".index") == 0)
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    if (entries)
        closedir(entries);
    free(folder);
}

static void print_count(const struct verification *verification)
{
    printf("verified: %zu MIDI files, %zu texts, %zu shards, %zu pieces, %zu outputs: ", verification->midi_files, verification->texts, verification->shards,
           verification->pieces, verification->outputs);
    if (verification->faults == 0)
        printf("no faults\n");
    else
        printf("%zu fault%s\n", verification->faults, verification->faults == 1 ? "" : "s");
    if (verification->missing_shards + verification->missing_pieces > 0)
        printf("not there: %zu shards, %zu pieces%s\n", verification->missing_shards, verification->missing_pieces,
               !verification->complete            ? ""
               : verification->missing_pieces > 0 ? "; the outputs could not be compared with them"
                                                  : "; the outputs are complete without them");
}

static int verify(struct verification *verification)
{
    struct reason why;
    char *path = NULL;
    int result = asprintf(&path, "%s/plan/%s.plan", verification->work, verification->hash) < 0 ? fail(&why, "out of memory")
                                                                                                 : plan_record_read(path, &verification->plan, &why);
    if (result < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    } else {
        check_everything(verification);
        if (verification->bad && output_record_withdraw(verification->output, NULL) > 0)
            message(MESSAGE_INFO, verification->output, "the next make puts the outputs together again");
        if (verification->stale_index)
            remove_indexes(verification);
        print_count(verification);
    }
    plan_record_free(&verification->plan);
    piece_free(&verification->piece);
    whole_file_free(&verification->content);
    free(path);
    return result < 0 || verification->faults > 0 || print_end() < 0;
}

int main(int argc, char **argv)
{
    enum { OUTPUT = 256, HELP, VERSION };
    static const struct option options[] = {
        {"output", required_argument, NULL, OUTPUT}, {"help", no_argument, NULL, HELP}, {"version", no_argument, NULL, VERSION}, {0},
    };
    struct verification verification = {.output = "."};
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case OUTPUT: verification.output = optarg; break;
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        return usage_error("WORK_DIR and HASH are needed");
    verification.work = argv[optind];
    verification.hash = argv[optind + 1];
    return verify(&verification);
}
