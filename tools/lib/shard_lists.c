#include "shard_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "midi_key.h"
#include "text_buffer.h"
#include "utf8.h"
#include "whole_file.h"

struct shard_lists {
    const struct shard_settings *settings;
    struct stat_index *index;
    struct midi_converter converter;
    char *folder; /* INPUT's, with its slash; "" for the current one */
    struct text_buffer midi, text, pairs, path;
    struct text_buffer midi_keys, text_keys; /* struct hash, end to end */
    struct whole_file content;
    size_t count;
};

struct shard_lists *shard_lists_open(const struct shard_settings *settings, struct stat_index *index, struct reason *why)
{
    struct shard_lists *lists = calloc(1, sizeof *lists);
    const char *slash = strrchr(settings->input, '/');
    char *folder = slash ? strndup(settings->input, (size_t)(slash - settings->input) + 1) : strdup("");
    if (!lists || !folder) {
        free(lists);
        free(folder);
        fail(why, "out of memory");
        return NULL;
    }
    lists->settings = settings;
    lists->index = index;
    lists->folder = folder;
    return lists;
}

/* Where a file of this name lies: beside INPUT, else below the current folder; if neither, the first is what the user is told. */
static const char *find_file(struct shard_lists *lists, const char *name, size_t length)
{
    text_clear(&lists->path);
    if (name[0] != '/')
        text_add_string(&lists->path, lists->folder);
    text_add(&lists->path, name, length);
    if (lists->path.failed)
        return NULL;
    if (name[0] != '/' && *lists->folder && access(lists->path.bytes, F_OK) < 0 && access(name, F_OK) == 0) {
        text_clear(&lists->path);
        text_add(&lists->path, name, length);
    }
    return lists->path.bytes;
}

/* An item that cannot be used has the hash of the reason for its key: when the reason goes, the shard's name changes. */
static struct hash unusable_key(const char *reason)
{
    char text[sizeof(struct reason) + 16];
    int length = snprintf(text, sizeof text, "unusable: %s", reason);
    return hash_bytes(text, (size_t)length);
}

static void add_key(struct text_buffer *list, struct text_buffer *keys, struct hash key)
{
    char hex[HASH_HEX + 1];
    hash_to_hex(key, hex);
    text_add(keys, (const char *)&key, sizeof key);
    text_printf(list, "[\"%s\",", hex);
}

static void end_item(struct text_buffer *list, const char *unusable)
{
    if (unusable) {
        text_add_string(list, ",");
        text_add_json_string(list, unusable, strlen(unusable));
    }
    text_add_string(list, "]\n");
}

static int add_midi(struct shard_lists *lists, const struct pair *pair, struct reason *why)
{
    struct hash key;
    struct reason unusable;
    const char *path = find_file(lists, pair->midi, pair->midi_length);
    if (!path)
        return fail(why, "out of memory");
    int result, is_abc = 0;
    errno = 0;
    if (pair->midi_length == 0)
        result = fail(&unusable, "the file name is empty");
    else if (strlen(pair->midi) != pair->midi_length)
        result = fail(&unusable, "the file name holds a zero byte");
    else
        result = stat_index_hash(lists->index, path, &key, &is_abc, &unusable);
    if (result < 0 && error_is_passing(errno))
        return fail(why, "%s: %s", path, unusable.text);
    if (result < 0)
        key = unusable_key(unusable.text);
    else if (midi_key_of(key, is_abc, &lists->converter, &key, why) < 0)
        return -1;
    else
        key = limited_items_key(lists->settings->limited, key);
    add_key(&lists->midi, &lists->midi_keys, key);
    text_add_json_string(&lists->midi, path, strlen(path));
    end_item(&lists->midi, result < 0 ? unusable.text : NULL);
    return 0;
}

/* The text of a pair, from INPUT or its file. -1 with the reason why it cannot be used, and an errno where the system has it. */
static int get_text(struct shard_lists *lists, const struct pair *pair, const char **text, size_t *length, struct reason *unusable)
{
    *text = pair->text;
    *length = pair->text_length;
    errno = 0;
    if (!pair->text) {
        const char *path = find_file(lists, pair->text_file, pair->text_file_length);
        struct reason inner;
        if (!path) {
            errno = ENOMEM;
            return fail(unusable, "out of memory");
        }
        if (strlen(pair->text_file) != pair->text_file_length)
            return fail(unusable, "the text file's name holds a zero byte");
        if (whole_file_read(path, &lists->content, &inner) < 0)
            return fail(unusable, "text file \"%s\": %s", path, inner.text);
        const size_t mark = utf8_mark((const char *)lists->content.bytes, lists->content.count);
        *text = (const char *)lists->content.bytes + mark;
        *length = lists->content.count - mark;
        while (*length > 0 && ((*text)[*length - 1] == '\n' || (*text)[*length - 1] == '\r'))
            --*length;
    }
    size_t fault = utf8_first_fault(*text, *length);
    if (fault < *length)
        return fail(unusable, "the text is not UTF-8 at byte %zu", fault + 1);
    if (*length > LONGEST_TEXT)
        return fail(unusable, "the text is longer than %d MiB", LONGEST_TEXT >> 20);
    return 0;
}

/* The other fields as they are; bytes that are not UTF-8 (they can only stand inside strings) as escapes, so the JSON stays valid. */
static void add_carried(struct text_buffer *list, const char *json, size_t length)
{
    while (length > 0) {
        size_t sound = utf8_first_fault(json, length);
        text_add(list, json, sound);
        if (sound < length)
            text_printf(list, "\\udc%02x", (unsigned char)json[sound++]);
        json += sound;
        length -= sound;
    }
}

static int add_text(struct shard_lists *lists, const struct pair *pair, struct reason *why)
{
    struct reason unusable;
    const char *text;
    size_t length;
    int result = get_text(lists, pair, &text, &length, &unusable);
    if (result < 0 && error_is_passing(errno))
        return fail(why, "%s", unusable.text);
    if (result < 0) {
        text = "";
        length = 0;
    }
    add_key(&lists->text, &lists->text_keys, result < 0 ? unusable_key(unusable.text) : limited_items_key(lists->settings->limited, hash_bytes(text, length)));
    text_add_json_string(&lists->text, text, length);
    end_item(&lists->text, result < 0 ? unusable.text : NULL);

    text_add(&lists->pairs, "[", 1);
    text_add_json_string(&lists->pairs, pair->midi, pair->midi_length);
    text_add(&lists->pairs, ",", 1);
    text_add_json_string(&lists->pairs, text, length);
    text_add(&lists->pairs, ",", 1);
    add_carried(&lists->pairs, pair->carried, pair->carried_length);
    text_add(&lists->pairs, "]\n", 2);
    return 0;
}

int shard_lists_add(struct shard_lists *lists, const struct pair *pair, struct reason *why)
{
    if (add_midi(lists, pair, why) < 0 || add_text(lists, pair, why) < 0)
        return -1;
    lists->count++;
    if (lists->midi.failed || lists->text.failed || lists->pairs.failed || lists->midi_keys.failed || lists->text_keys.failed)
        return fail(why, "out of memory");
    return 0;
}

static int put_list(const struct shard_lists *lists, struct hash name, const char *kind, const struct text_buffer *list, struct reason *why)
{
    char hex[HASH_HEX + 1], *path = NULL;
    hash_to_hex(name, hex);
    if (asprintf(&path, "%s/%s.%s", lists->settings->lists, hex, kind) < 0)
        return fail(why, "out of memory");
    int result = atomic_file_put_if_changed(path, list->bytes, list->count, why);
    free(path);
    return result;
}

static struct hash piece_name(const struct shard_lists *lists, const struct shard_names *names)
{
    char seed[512]; /* piece_seed holds a version and three hashes */
    char midi[HASH_HEX + 1], text[HASH_HEX + 1], pairs[HASH_HEX + 1];
    hash_to_hex(names->midi, midi);
    hash_to_hex(names->text, text);
    hash_to_hex(hash_bytes(lists->pairs.bytes, lists->pairs.count), pairs);
    snprintf(seed, sizeof seed, "%s %s %s %s", lists->settings->piece_seed, midi, text, pairs);
    return hash_bytes(seed, strlen(seed));
}

struct shard_keys shard_lists_keys(const struct shard_lists *lists)
{
    return (struct shard_keys){(const void *)lists->midi_keys.bytes, (const void *)lists->text_keys.bytes, lists->count};
}

/* A shard's name is the hash of its items' keys, in order. */
void shard_lists_name(const struct shard_lists *lists, struct shard_names *names)
{
    names->midi = hash_bytes(lists->midi_keys.bytes, lists->midi_keys.count);
    names->text = hash_bytes(lists->text_keys.bytes, lists->text_keys.count);
    names->piece = piece_name(lists, names);
    names->pairs = lists->count;
}

int shard_lists_finish(struct shard_lists *lists, const struct shard_names *names, struct reason *why)
{
    int result = put_list(lists, names->midi, "midi", &lists->midi, why);
    if (result == 0)
        result = put_list(lists, names->text, "text", &lists->text, why);
    if (result == 0)
        result = put_list(lists, names->piece, "pairs", &lists->pairs, why);
    text_clear(&lists->midi);
    text_clear(&lists->text);
    text_clear(&lists->pairs);
    text_clear(&lists->midi_keys);
    text_clear(&lists->text_keys);
    lists->count = 0;
    return result;
}

void shard_lists_close(struct shard_lists *lists)
{
    if (!lists)
        return;
    text_free(&lists->midi);
    text_free(&lists->text);
    text_free(&lists->pairs);
    text_free(&lists->midi_keys);
    text_free(&lists->text_keys);
    text_free(&lists->path);
    whole_file_free(&lists->content);
    free(lists->folder);
    free(lists);
}
