/* combine: joins tokens and embeddings to the pairs of one shard and writes a piece (piece.h); with --assemble it joins the pieces to the final file.
 *
 * Only pairs whose MIDI file and text are both well become items; the others are named, with the reason, in the piece's list of errors. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/atomic_file.h"
#include "lib/clean_text.h"
#include "lib/hash.h"
#include "lib/item_json.h"
#include "lib/json_stream.h"
#include "lib/message.h"
#include "lib/output_record.h"
#include "lib/pair_list.h"
#include "lib/piece.h"
#include "lib/piece_names.h"
#include "lib/plan_record.h"
#include "lib/shard.h"
#include "lib/text_buffer.h"
#include "lib/text_results.h"
#include "lib/work_files.h"

static const char usage[] =
    "usage: combine --tok SHARD.tok --emb SHARD.emb SHARD.pairs OUT    join one shard to a piece\n"
    "       combine --assemble --pieces DIR [--outputs DIR] LIST OUT   join the pieces named in LIST to a JSON list\n"
    "       combine --finished WORK_DIR PLAN LIST                      join every shard of PLAN that is finished and not joined yet;\n"
    "                                                                  LIST becomes the names of all pieces there are\n"
    "  --signature   print the hash of what decides the form of a piece\n"
    "  --help, --version\n";

/* Everything about the form of an item; change it with the form, so that pieces of the old form are not used. */
static const char piece_form[] = "combine 2: one JSON item a line, shortest floats, cleaned_text by clean_text 1; a piece states its name";

struct joining {
    const struct shard *tok, *emb;
    struct item_tokens tokens;
    struct text_results results;
    struct text_buffer body, errors, decoded;
    struct piece_counts counts;
};

static int open_tensors(struct joining *joining, struct reason *why)
{
    if (text_results_open(joining->emb, &joining->results, why) < 0)
        return -1;
    if (item_tokens_open(joining->tok, &joining->tokens, why) < 0)
        return -1;
    return shard_items(joining->tok) == shard_items(joining->emb) ? 0 : fail(why, "tokens and embeddings are of different shards");
}

static void add_span(struct text_buffer *buffer, struct json_span span)
{
    text_add(buffer, span.text, span.length);
}

static void add_error(struct joining *joining, size_t index, const struct listed_pair *pair, const char *stage, const char *error)
{
    text_printf(&joining->errors, "%s{\"index\":%zu,\"midi_file\":", joining->errors.count > 1 ? "," : "", index);
    add_span(&joining->errors, pair->midi_file);
    text_printf(&joining->errors, ",\"stage\":\"%s\",\"error\":", stage);
    text_add_json_string(&joining->errors, error, strlen(error));
    text_add_string(&joining->errors, "}");
}

static void count_music(struct joining *joining, size_t item)
{
    struct json_span key, value;
    for (const char *cursor = shard_item_json(joining->tok, item); json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "notes"))
            joining->counts.notes += strtoull(value.text, NULL, 10);
        if (json_string_is(key, "duration"))
            joining->counts.seconds += strtod(value.text, NULL);
    }
}

static int add_text_features(struct joining *joining, size_t item, const struct listed_pair *pair, struct reason *why)
{
    struct text_buffer *body = &joining->body, cleaned = {0};
    text_clear(&joining->decoded);
    if (json_decode_string(pair->text, &joining->decoded) < 0)
        return fail(why, "a text that is none");
    if (joining->decoded.failed)
        return fail(why, "out of memory");
    if (clean_text(joining->decoded.bytes, joining->decoded.count, &cleaned, why) < 0)
        return -1;
    text_add_string(body, "{\"original_text\":");
    add_span(body, pair->text);
    text_add_string(body, ",\"cleaned_text\":");
    text_add_json_string(body, cleaned.bytes ? cleaned.bytes : "", cleaned.count);
    text_free(&cleaned);
    text_add_string(body, ",");
    add_text_result(body, &joining->results, item);
    text_add_string(body, "}");
    return 0;
}

static int add_item(struct joining *joining, size_t item, const struct listed_pair *pair, struct reason *why)
{
    struct text_buffer *body = &joining->body;
    size_t length = item_tokens_count(&joining->tokens, item);
    if (joining->counts.items > 0)
        text_add_string(body, ",\n");
    text_add_string(body, "{\"midi_file\":");
    add_span(body, pair->midi_file);
    text_add_string(body, ",\"text_description\":");
    add_span(body, pair->text);
    text_add_string(body, ",\"midi_tokens\":");
    add_item_tokens(body, &joining->tokens, item);
    text_add_string(body, ",\"midi_metadata\":");
    add_midi_metadata(body, joining->tok, item, pair->midi_file);
    count_music(joining, item);
    text_add_string(body, ",\"text_features\":");
    if (add_text_features(joining, item, pair, why) < 0)
        return -1;
    text_add_string(body, ",\"sequence_length\":");
    text_add_integer(body, (long long)length);
    if (pair->fields.length > 2) {
        text_add_string(body, ",");
        text_add(body, pair->fields.text + 1, pair->fields.length - 2);
    }
    text_add_string(body, "}");
    joining->counts.items++;
    joining->counts.tokens += length;
    return 0;
}

static int join_pairs(struct joining *joining, struct pair_list *pairs, struct reason *why)
{
    struct listed_pair pair;
    int more;
    text_add_string(&joining->errors, "[");
    while ((more = pair_list_next(pairs, &pair, why)) > 0) {
        size_t item = joining->counts.pairs++;
        if (item >= shard_items(joining->tok))
            return fail(why, "more pairs than tokens and embeddings");
        const char *midi_error = shard_item_error(joining->tok, item), *text_error = shard_item_error(joining->emb, item);
        joining->counts.midi_done += !midi_error;
        joining->counts.text_done += !text_error;
        if (midi_error)
            add_error(joining, item, &pair, "midi", midi_error);
        if (text_error)
            add_error(joining, item, &pair, "text", text_error);
        if (!midi_error && !text_error && add_item(joining, item, &pair, why) < 0)
            return -1;
    }
    text_add_string(&joining->errors, "]");
    if (more < 0)
        return -1;
    if (joining->counts.pairs != shard_items(joining->tok))
        return fail(why, "fewer pairs than tokens and embeddings");
    joining->counts.embedding_size = joining->results.kind == RESULT_IDS ? 0 : joining->results.width;
    return joining->body.failed || joining->errors.failed || joining->decoded.failed ? fail(why, "out of memory") : 0;
}

static int join_shard(const char *tok, const char *emb, const char *in, const char *out)
{
    struct joining joining = {0};
    struct reason why;
    struct shard *tok_shard = NULL, *emb_shard = NULL;
    struct pair_list *pairs = NULL;
    const char *blamed = tok;
    int result = -1;
    if (!(joining.tok = tok_shard = shard_open(tok, "reprise tok 1", &why)))
        goto end;
    blamed = emb;
    if (!(joining.emb = emb_shard = shard_open(emb, "reprise emb 1", &why)))
        goto end;
    blamed = in;
    if (!(pairs = pair_list_open(in, &why)) || open_tensors(&joining, &why) < 0 || join_pairs(&joining, pairs, &why) < 0)
        goto end;
    blamed = NULL; /* piece_write names the file itself */
    result = piece_write(out, &joining.counts, joining.errors.bytes, joining.body.bytes ? joining.body.bytes : "", joining.body.count, &why);
end:
    if (result < 0)
        message(MESSAGE_ERROR, blamed, "%s", why.text);
    text_free(&joining.body);
    text_free(&joining.errors);
    text_free(&joining.decoded);
    pair_list_close(pairs);
    shard_close(emb_shard);
    shard_close(tok_shard);
    return result < 0 ? 1 : 0;
}

static int assemble(const char *folder, const char *list, const char *outputs, const char *out)
{
    struct reason why;
    struct piece_names names;
    struct piece piece = {0};
    char *path = NULL;
    int result = -1, more;
    size_t items = 0;
    struct atomic_file *file = NULL;
    if (piece_names_open(&names, folder, list, &why) < 0) {
        message(MESSAGE_ERROR, list, "%s", why.text);
        return 1;
    }
    if (!(file = atomic_file_open(out, &why))) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        goto end;
    }
    atomic_file_write(file, "[\n", 2);
    while ((more = piece_names_next(&names, &path, &why)) > 0) {
        if (piece_read(path, &piece, &why) < 0)
            break;
        if (piece.counts.items > 0 && items > 0)
            atomic_file_write(file, ",\n", 2);
        atomic_file_write(file, piece.body, piece.body_length);
        items += piece.counts.items;
    }
    if (more != 0) {
        message(MESSAGE_ERROR, more > 0 ? path : list, "%s", why.text);
        atomic_file_abandon(file);
        goto end;
    }
    atomic_file_write(file, items > 0 ? "\n]\n" : "]\n", items > 0 ? 3 : 2);
    if (outputs && output_record_withdraw(outputs, &why) < 0)
        atomic_file_abandon(file);
    else
        result = atomic_file_commit_keeping_backup(file, &why);
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
end:
    piece_names_close(&names);
    piece_free(&piece);
    return result < 0 ? 1 : 0;
}

/* ---- what is finished, beside a build that goes on ---- */

/* Whether the piece of this shard is there, or can be made now: 1 or 0, -1 with `why`. A shard that cannot be joined is reported, and the others are. A piece appears whole under the hash of its contents' names, so a build at work that makes
 * the same one is not disturbed. */
static int piece_ready(const char *work, const struct plan_record *plan, const struct shard_names *shard, struct reason *why)
{
    char *piece = piece_file(work, shard->piece), *pairs = list_file(work, shard->piece, "pairs");
    char *tok = shard_file(work, SHARD_OF_MIDI, plan->tok, shard->midi), *emb = shard_file(work, SHARD_OF_TEXT, plan->emb, shard->text);
    int ready = is_there(piece, why);
    if (ready == 0 && (ready = is_there(tok, why)) > 0 && (ready = is_there(emb, why)) > 0)
        ready = pairs ? join_shard(tok, emb, pairs, piece) == 0 : fail(why, "out of memory");
    free(piece);
    free(pairs);
    free(tok);
    free(emb);
    return ready;
}

static int join_finished(const char *work, const char *plan_path, const char *list)
{
    struct plan_record plan;
    struct text_buffer names = {0};
    struct reason why;
    char hex[HASH_HEX + 1];
    if (plan_record_read(plan_path, &plan, &why) < 0) {
        message(MESSAGE_ERROR, NULL, "%s", why.text);
        return 1;
    }
    int ready = 0;
    for (size_t i = 0; ready >= 0 && i < plan.shard_count; i++) {
        ready = piece_ready(work, &plan, &plan.shards[i], &why);
        if (ready <= 0)
            continue;
        hash_to_hex(plan.shards[i].piece, hex);
        text_printf(&names, "%s\n", hex);
    }
    plan_record_free(&plan);
    if (ready >= 0 && names.failed)
        ready = fail(&why, "out of memory");
    struct atomic_file *file = ready < 0 ? NULL : atomic_file_open(list, &why);
    if (file)
        atomic_file_write(file, names.bytes, names.count);
    int result = file ? atomic_file_commit(file, &why) : -1;
    if (result < 0)
        message(MESSAGE_ERROR, NULL, "%s", why.text);
    text_free(&names);
    return result < 0 ? 1 : 0;
}

static int print_signature(void)
{
    char hex[HASH_HEX + 1];
    hash_to_hex(hash_bytes(piece_form, sizeof piece_form), hex);
    if (puts(hex) >= 0 && fflush(stdout) == 0)
        return 0;
    message(MESSAGE_ERROR, NULL, "the signature cannot be printed: %s", strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    enum { TOK = 256, EMB, ASSEMBLE, PIECES, OUTPUTS, FINISHED, SIGNATURE, HELP, VERSION };
    static const struct option options[] = {
        {"tok", required_argument, NULL, TOK},
        {"emb", required_argument, NULL, EMB},
        {"assemble", no_argument, NULL, ASSEMBLE},
        {"pieces", required_argument, NULL, PIECES},
        {"outputs", required_argument, NULL, OUTPUTS},
        {"finished", required_argument, NULL, FINISHED},
        {"signature", no_argument, NULL, SIGNATURE},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    const char *tok = NULL, *emb = NULL, *pieces = NULL, *outputs = NULL, *finished = NULL;
    int assembling = 0;
    if (message_init(argv[0]) < 0)
        return 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case TOK: tok = optarg; break;
        case EMB: emb = optarg; break;
        case ASSEMBLE: assembling = 1; break;
        case PIECES: pieces = optarg; break;
        case OUTPUTS: outputs = optarg; break;
        case FINISHED: finished = optarg; break;
        case SIGNATURE: return print_signature();
        case HELP: fputs(usage, stdout); return print_end() < 0;
        case VERSION: print_version(); return print_end() < 0;
        default: return 2;
        }
    }
    if (argc - optind != 2 || strcmp(argv[optind + 1], "-") == 0)
        return usage_error("an input and an output file are needed");
    if (finished)
        return join_finished(finished, argv[optind], argv[optind + 1]);
    if (assembling && pieces)
        return assemble(pieces, argv[optind], outputs, argv[optind + 1]);
    if (assembling || !tok || !emb)
        return usage_error(assembling ? "--assemble needs --pieces" : "--tok and --emb are needed");
    return join_shard(tok, emb, argv[optind], argv[optind + 1]);
}
