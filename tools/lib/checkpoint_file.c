#include "checkpoint_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_record.h"

static int is_list_of_records(struct text_buffer *key)
{
    const struct json_span span = {key->bytes, key->count};
    return json_string_is(span, "processed_data") || json_string_is(span, "processed_texts");
}

static void read_statement(struct checkpoint_file *file, const char *object, const char *kind, struct reason *problem)
{
    struct json_span key, value;
    int known = 0, right = 0, keyed = 0;
    for (const char *cursor = object; *object == '{' && json_next_member(&cursor, &key, &value);) {
        if (json_string_is(key, "format"))
            known = json_string_is(value, CHECKPOINT_FORMAT);
        else if (json_string_is(key, "kind"))
            right = kind && json_string_is(value, kind);
        else if (json_string_is(key, "signature") && value.length == HASH_HEX + 2) {
            struct hash signature;
            if ((keyed = hash_from_hex(value.text + 1, &signature) == 0))
                hash_to_hex(signature, file->signature);
        }
    }
    file->stated = known && right && keyed;
    if (!file->stated)
        fail(problem, known && !right ? "it is a checkpoint of the other kind" : "it was written by another version of Reprise");
}

/* One member of the outermost object, its key in `text`. 1: it is the list of records, which is not read yet. */
static int read_member(struct checkpoint_file *file, struct json_stream *stream, const char *kind, struct text_buffer *text, struct reason *problem,
                       struct reason *why)
{
    text_clear(text);
    if (json_peek(stream) != '"')
        return json_expect(stream, '"', why);
    if (json_scan_value(stream, text, why) < 0 || json_expect(stream, ':', why) < 0)
        return -1;
    if (text->failed)
        return fail(why, "out of memory");
    const struct json_span key = {text->bytes, text->count};
    if (!file->has_records && is_list_of_records(text) && json_peek(stream) == '[')
        return 1;
    int statement = json_string_is(key, "reprise"), index = json_string_is(key, "last_processed_idx");
    text_clear(text);
    if (json_scan_value(stream, statement || index ? text : NULL, why) < 0)
        return -1;
    if (text->failed)
        return fail(why, "out of memory");
    if (statement)
        read_statement(file, text->bytes, kind, problem);
    if (index && text->count < sizeof file->last_processed_idx)
        memcpy(file->last_processed_idx, text->bytes, text->count + 1);
    return 0;
}

static int next_is_last(struct json_stream *stream, char closing, struct reason *why)
{
    if (json_peek(stream) == closing)
        return json_expect(stream, closing, why) < 0 ? -1 : 1;
    return json_expect(stream, ',', why);
}

static int scan_records(struct checkpoint_file *file, struct json_stream *stream, struct reason *why)
{
    file->has_records = 1;
    int last = json_expect(stream, '[', why);
    if (last == 0 && json_peek(stream) == ']')
        return json_expect(stream, ']', why);
    while (last == 0) {
        if (json_scan_value(stream, NULL, why) < 0)
            return -1;
        file->records++;
        last = next_is_last(stream, ']', why);
    }
    return last < 0 ? -1 : 0;
}

static int scan_object(struct checkpoint_file *file, struct json_stream *stream, const char *kind, struct reason *problem, struct reason *why)
{
    struct text_buffer text = {0};
    int last = json_expect(stream, '{', why);
    if (last == 0 && json_peek(stream) == '}')
        return json_expect(stream, '}', why);
    while (last == 0) {
        int records = read_member(file, stream, kind, &text, problem, why);
        if (records < 0 || (records > 0 && scan_records(file, stream, why) < 0))
            last = -1;
        else
            last = next_is_last(stream, '}', why);
    }
    text_free(&text);
    return last < 0 ? -1 : 0;
}

/* Reads all of the file: is it sound, what does it state? */
static int survey(struct checkpoint_file *file, const char *kind, struct reason *why)
{
    struct json_stream stream;
    struct reason problem = {""};
    if (json_stream_open(&stream, file->path, why) < 0)
        return -1;
    int result = json_peek(&stream) == '[' ? scan_records(file, &stream, why) : scan_object(file, &stream, kind, &problem, why);
    if (result == 0 && json_peek(&stream) >= 0)
        result = fail(why, "line %zu, column %zu: something stands behind the end", stream.line, stream.column);
    if (result == 0)
        result = json_read_error(&stream, why);
    if (result == 0 && kind && !file->has_records)
        result = fail(why, "no list of records (processed_data or processed_texts)");
    if (result == 0 && *problem.text)
        result = fail(why, "%s", problem.text);
    json_stream_close(&stream);
    return result;
}

static int try_file(struct checkpoint_file *file, const char *path, const char *ending, const char *kind, struct reason *why)
{
    *file = (struct checkpoint_file){0};
    if (asprintf(&file->path, "%s%s", path, ending) < 0) {
        file->path = NULL;
        return fail(why, "out of memory");
    }
    if (survey(file, kind, why) == 0 && (!file->has_records || checkpoint_file_rewind(file, why) == 0))
        return 0;
    checkpoint_file_close(file);
    return -1;
}

static int is_missing(const char *path, const char *ending)
{
    char *whole = NULL;
    int missing = asprintf(&whole, "%s%s", path, ending) >= 0 && access(whole, F_OK) < 0 && errno == ENOENT;
    free(whole);
    return missing;
}

int checkpoint_file_open(struct checkpoint_file *file, const char *path, const char *kind)
{
    struct reason why, why_not_backup;
    if (try_file(file, path, "", kind, &why) == 0)
        return 1;
    int no_file = is_missing(path, ""), no_backup = is_missing(path, ".bak");
    if (no_file && no_backup)
        return 0;
    if (!no_backup && try_file(file, path, ".bak", kind, &why_not_backup) == 0) {
        message(MESSAGE_WARNING, path, "%s; its .bak is used", why.text);
        return 1;
    }
    message(MESSAGE_ERROR, path, "%s%s%s", why.text, no_backup ? "; there is no .bak" : "; nor can its .bak be used: ", no_backup ? "" : why_not_backup.text);
    return -1;
}

/* Into the list of records. The file has been surveyed, so what stands before it is known to be sound, unless it was changed meanwhile. */
int checkpoint_file_rewind(struct checkpoint_file *file, struct reason *why)
{
    struct text_buffer text = {0};
    struct checkpoint_file ignored = {0};
    struct reason problem;
    struct json_stream *stream = &file->stream;
    json_stream_close(stream);
    file->next = 0;
    if (json_stream_open(stream, file->path, why) < 0)
        return -1;
    int found = json_peek(stream) == '[';
    if (!found && json_expect(stream, '{', why) < 0)
        return -1;
    while (found == 0 && (found = read_member(&ignored, stream, NULL, &text, &problem, why)) == 0)
        if (json_expect(stream, ',', why) < 0)
            found = -1;
    text_free(&text);
    return found < 0 ? -1 : json_expect(stream, '[', why);
}

int checkpoint_file_next(struct checkpoint_file *file, struct text_buffer *record, struct reason *why)
{
    if (file->next == file->records)
        return 0;
    if (file->next > 0 && json_expect(&file->stream, ',', why) < 0)
        return -1;
    text_clear(record);
    if (json_scan_value(&file->stream, record, why) < 0)
        return -1;
    file->next++;
    return record->failed ? fail(why, "out of memory") : 1;
}

void checkpoint_file_close(struct checkpoint_file *file)
{
    json_stream_close(&file->stream);
    free(file->path);
    *file = (struct checkpoint_file){0};
}
