#include "plan_record.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "json_stream.h"
#include "text_buffer.h"
#include "whole_file.h"

static void add_string(struct text_buffer *text, const char *before, const char *value)
{
    text_add_string(text, before);
    text_add_json_string(text, value, strlen(value));
}

int plan_record_write(const char *path, const struct plan_record *record, struct reason *why)
{
    struct text_buffer text = {0};
    add_string(&text, "{\"format\":\"reprise plan 1\",\"tok\":", record->tok);
    add_string(&text, ",\"emb\":", record->emb);
    add_string(&text, ",\"piece\":", record->piece);
    text_printf(&text, ",\"shards\":%zu,\"settings\":[", record->shard_count);
    for (size_t i = 0; i < record->setting_count; i++) {
        const struct plan_setting *setting = &record->settings[i];
        add_string(&text, i ? ",[" : "[", setting->scope);
        add_string(&text, ",", setting->name);
        add_string(&text, ",", setting->value);
        text_add_string(&text, "]");
    }
    text_add_string(&text, "]}\n");
    for (size_t i = 0; i < record->shard_count; i++) {
        const struct shard_names *shard = &record->shards[i];
        char piece[HASH_HEX + 1], midi[HASH_HEX + 1], names[HASH_HEX + 1];
        hash_to_hex(shard->piece, piece);
        hash_to_hex(shard->midi, midi);
        hash_to_hex(shard->text, names);
        text_printf(&text, "%s %s %s %zu\n", piece, midi, names, shard->pairs);
    }
    int result = text.failed ? fail(why, "out of memory") : atomic_file_put_if_changed(path, text.bytes, text.count, why);
    text_free(&text);
    return result;
}

/* ---- reading ---- */

/* While the texts are gathered their address changes: positions, until all are there. */
struct reading {
    struct plan_record *record;
    struct text_buffer texts;
    size_t tok, emb, piece, format, shards; /* positions in texts; 0: absent */
    size_t capacity;
};

static size_t keep(struct reading *reading, struct json_span span)
{
    if (reading->texts.count == 0)
        text_add(&reading->texts, "", 1); /* so that no position is 0 */
    size_t at = reading->texts.count;
    if (json_decode_string(span, &reading->texts) < 0)
        return 0;
    text_add(&reading->texts, "", 1);
    return at;
}

static int read_setting(struct reading *reading, const char *cursor, struct reason *why)
{
    struct plan_record *record = reading->record;
    struct json_span span;
    size_t at[3];
    for (int i = 0; i < 3; i++)
        if (*cursor == ']' || !json_next_element(&cursor, &span) || !(at[i] = keep(reading, span)))
            return fail(why, reading->texts.failed ? "out of memory" : "a setting that is none");
    if (record->setting_count == reading->capacity) {
        size_t capacity = reading->capacity ? reading->capacity * 2 : 32;
        struct plan_setting *settings = reallocarray(record->settings, capacity, sizeof *settings);
        if (!settings)
            return fail(why, "out of memory");
        record->settings = settings;
        reading->capacity = capacity;
    }
    /* positions for now, as if the texts began at address 0 */
    record->settings[record->setting_count++] =
        (struct plan_setting){(const char *)(uintptr_t)at[0], (const char *)(uintptr_t)at[1], (const char *)(uintptr_t)at[2]};
    return 0;
}

static int read_head(struct reading *reading, const char *cursor, struct reason *why)
{
    struct json_span key, value, element;
    int known = 0;
    if (*cursor != '{')
        return fail(why, "not a plan");
    while (json_next_member(&cursor, &key, &value)) {
        if (json_string_is(key, "format"))
            known = json_string_is(value, "reprise plan 1");
        else if (json_string_is(key, "tok"))
            reading->tok = keep(reading, value);
        else if (json_string_is(key, "emb"))
            reading->emb = keep(reading, value);
        else if (json_string_is(key, "piece"))
            reading->piece = keep(reading, value);
        else if (json_string_is(key, "shards"))
            reading->shards = (size_t)strtoull(value.text, NULL, 10);
        else if (json_string_is(key, "settings") && *value.text == '[')
            for (const char *settings = value.text; json_next_element(&settings, &element);)
                if (*element.text != '[' ? fail(why, "a setting that is none") < 0 : read_setting(reading, element.text, why) < 0)
                    return -1;
    }
    if (reading->texts.failed)
        return fail(why, "out of memory");
    return known && reading->tok && reading->emb && reading->piece ? 0 : fail(why, "not a plan of this version");
}

static int read_shard(const char *line, struct shard_names *names)
{
    enum { STEP = HASH_HEX + 1 };
    char *end;
    if (strlen(line) < 3 * STEP + 1 || hash_from_hex(line, &names->piece) < 0 || hash_from_hex(line + STEP, &names->midi) < 0 ||
        hash_from_hex(line + 2 * STEP, &names->text) < 0)
        return -1;
    names->pairs = (size_t)strtoull(line + 3 * STEP, &end, 10);
    return *end ? -1 : 0;
}

static int read_shards(struct reading *reading, char *rest, size_t bytes, struct reason *why)
{
    struct plan_record *record = reading->record;
    if (reading->shards > bytes / (3 * HASH_HEX))
        return fail(why, "cut short");
    record->shards = calloc(reading->shards + 1, sizeof *record->shards);
    if (!record->shards)
        return fail(why, "out of memory");
    for (char *line = strsep(&rest, "\n"); line && rest; line = strsep(&rest, "\n")) {
        if (record->shard_count == reading->shards || read_shard(line, &record->shards[record->shard_count]) < 0)
            return fail(why, "line %zu: not a shard", record->shard_count + 2);
        record->shard_count++;
    }
    return record->shard_count == reading->shards ? 0 : fail(why, "cut short");
}

static void settle_texts(struct reading *reading)
{
    struct plan_record *record = reading->record;
    const char *texts = record->storage = reading->texts.bytes;
    record->tok = texts + reading->tok;
    record->emb = texts + reading->emb;
    record->piece = texts + reading->piece;
    for (size_t i = 0; i < record->setting_count; i++) {
        struct plan_setting *setting = &record->settings[i];
        *setting = (struct plan_setting){texts + (uintptr_t)setting->scope, texts + (uintptr_t)setting->name, texts + (uintptr_t)setting->value};
    }
}

static int read_record(struct reading *reading, struct whole_file *file, struct reason *why)
{
    struct text_buffer head = {0};
    struct json_stream stream;
    char *rest = (char *)file->bytes, *line = strsep(&rest, "\n");
    if (!rest)
        return fail(why, "cut short");
    json_stream_memory(&stream, line, strlen(line));
    int result = json_scan_value(&stream, &head, why);
    if (result == 0)
        result = head.failed ? fail(why, "out of memory") : read_head(reading, head.bytes, why);
    if (result == 0)
        result = read_shards(reading, rest, file->count, why);
    text_free(&head);
    if (result == 0 && reading->texts.failed)
        result = fail(why, "out of memory");
    return result;
}

int plan_record_read(const char *path, struct plan_record *record, struct reason *why)
{
    struct whole_file file = {0};
    struct reading reading = {.record = record};
    struct reason inner;
    *record = (struct plan_record){0};
    int result = whole_file_read(path, &file, &inner), error = errno;
    if (result == 0) {
        result = read_record(&reading, &file, &inner);
        error = result < 0 && is_out_of_memory(&inner) ? ENOMEM : 0;
    }
    whole_file_free(&file);
    if (result == 0) {
        settle_texts(&reading);
        return 0;
    }
    text_free(&reading.texts);
    plan_record_free(record);
    fail(why, "%s: %s", path, inner.text);
    errno = error;
    return -1;
}

void plan_record_free(struct plan_record *record)
{
    free(record->settings);
    free(record->shards);
    free(record->storage);
    *record = (struct plan_record){0};
}

const char *plan_record_setting(const struct plan_record *record, const char *scope, const char *name)
{
    for (size_t i = 0; i < record->setting_count; i++)
        if (strcmp(record->settings[i].scope, scope) == 0 && strcmp(record->settings[i].name, name) == 0)
            return record->settings[i].value;
    return NULL;
}
