#include "shard.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "json_stream.h"
#include "safetensors.h"
#include "set_aside.h"
#include "shard_cache.h"
#include "text_buffer.h"
#include "whole_file.h"

/* How a header begins; the digits of the hash stand right behind it. The first field is the length of the header, little-endian. */
#define HEADER_START "{\"__metadata__\":{\"xxh3\":\""
static const size_t digits_at = 8 + sizeof HEADER_START - 1;
static const char no_digits[HASH_HEX + 1] = "00000000000000000000000000000000";

/* ---- writing ---- */

static const char *type_name(enum shard_type type)
{
    return type == SHARD_I64 ? "I64" : type == SHARD_I32 ? "I32" : type == SHARD_F16 ? "F16" : "F32";
}

static uint64_t byte_count(const struct shard_tensor *tensor)
{
    return tensor->shape[0] * (tensor->dimensions == 2 ? tensor->shape[1] : 1) * (tensor->type == SHARD_I64 ? 8 : tensor->type == SHARD_F16 ? 2 : 4);
}

static void add_metadata(struct text_buffer *header, const char *key, const char *value)
{
    text_printf(header, ",\"%s\":", key);
    text_add_json_string(header, value, strlen(value));
}

static void build_header(struct text_buffer *header, const char *format, const char *signature, const char *items_json,
                         const struct shard_tensor *tensors, size_t tensor_count)
{
    text_add(header, "\0\0\0\0\0\0\0\0", 8);
    text_add_string(header, HEADER_START);
    text_add_string(header, no_digits);
    text_add_string(header, "\"");
    add_metadata(header, "format", format);
    add_metadata(header, "signature", signature);
    add_metadata(header, "items", items_json);
    text_add_string(header, "}");
    uint64_t offset = 0;
    for (size_t i = 0; i < tensor_count; i++) {
        const struct shard_tensor *tensor = &tensors[i];
        text_printf(header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", tensor->name, type_name(tensor->type), (unsigned long long)tensor->shape[0]);
        if (tensor->dimensions == 2)
            text_printf(header, ",%llu", (unsigned long long)tensor->shape[1]);
        text_printf(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset, (unsigned long long)(offset + byte_count(tensor)));
        offset += byte_count(tensor);
    }
    text_add_string(header, "}");
    while (!header->failed && header->count % 8 != 0)
        text_add(header, " ", 1);
    for (int i = 0; i < 8 && !header->failed; i++)
        header->bytes[i] = (char)((header->count - 8) >> (8 * i));
}

int shard_write(const char *path, const char *format, const char *signature, const char *items_json, const struct shard_tensor *tensors,
                size_t tensor_count, struct reason *why)
{
    struct text_buffer header = {0};
    build_header(&header, format, signature, items_json, tensors, tensor_count);
    struct hash_state *state = hash_start();
    struct atomic_file *file = NULL;
    if (header.failed || !state) {
        fail(why, "%s: out of memory", path);
    } else if ((file = atomic_file_open(path, why))) {
        hash_add(state, header.bytes, header.count);
        for (size_t i = 0; i < tensor_count; i++)
            hash_add(state, tensors[i].values, byte_count(&tensors[i]));
        char hex[HASH_HEX + 1];
        hash_to_hex(hash_end(state), hex);
        state = NULL;
        memcpy(header.bytes + digits_at, hex, HASH_HEX);
        atomic_file_write(file, header.bytes, header.count);
        for (size_t i = 0; i < tensor_count; i++)
            atomic_file_write(file, tensors[i].values, byte_count(&tensors[i]));
    }
    if (state)
        hash_end(state);
    text_free(&header);
    int result = file ? atomic_file_commit(file, why) : -1;
    if (result == 0)
        shard_cache_keep(path);
    return result;
}

/* ---- reading ---- */

struct shard_item { const char *json; struct hash key; char *error; };

struct shard {
    struct safetensors *file;
    struct text_buffer items_text; /* the items' objects, each zero-terminated in place */
    struct shard_item *items;
    size_t count, capacity;
};

/* The hash of a file that is long enough to state one, its digits taken as zeros. -1 without memory. */
static int hash_without_digits(const char *bytes, size_t count, struct hash *hash)
{
    struct hash_state *state = hash_start();
    if (!state)
        return -1;
    hash_add(state, bytes, digits_at);
    hash_add(state, no_digits, HASH_HEX);
    hash_add(state, bytes + digits_at + HASH_HEX, count - digits_at - HASH_HEX);
    *hash = hash_end(state);
    return 0;
}

static int check_hash(const struct safetensors *file, struct reason *why)
{
    size_t count, header_end;
    const char *bytes = (const char *)safetensors_bytes(file, &count, &header_end);
    struct hash stated, found;
    if (header_end < digits_at + HASH_HEX || memcmp(bytes + 8, HEADER_START, sizeof HEADER_START - 1) != 0 || hash_from_hex(bytes + digits_at, &stated) < 0)
        return fail(why, "not a shard of Reprise");
    if (hash_without_digits(bytes, count, &found) < 0)
        return fail(why, "out of memory");
    return hash_equal(found, stated) ? 0 : fail(why, "damaged: its contents do not have the hash that it states");
}

static int read_item(struct shard *shard, struct json_span object, struct reason *why)
{
    if (shard->count == shard->capacity) {
        size_t capacity = shard->capacity ? shard->capacity * 2 : 512;
        struct shard_item *items = reallocarray(shard->items, capacity, sizeof *items);
        if (!items)
            return fail(why, "out of memory");
        shard->items = items;
        shard->capacity = capacity;
    }
    struct shard_item *item = &shard->items[shard->count++];
    *item = (struct shard_item){.json = object.text};
    struct json_span key, value;
    const char *cursor = object.text;
    int keyed = 0;
    while (*object.text == '{' && json_next_member(&cursor, &key, &value)) {
        if (json_string_is(key, "key"))
            keyed = value.length == HASH_HEX + 2 && hash_from_hex(value.text + 1, &item->key) == 0;
        if (json_string_is(key, "error") && !item->error) {
            struct text_buffer error = {0};
            int is_text = json_decode_string(value, &error) == 0;
            if (!is_text || error.failed)
                return fail(why, is_text ? "out of memory" : "damaged: an item's error is no text");
            item->error = error.bytes;
        }
    }
    return keyed ? 0 : fail(why, "damaged: an item without a key");
}

static int read_items(struct shard *shard, struct reason *why)
{
    const char *items = safetensors_metadata(shard->file, "items"), *signature = safetensors_metadata(shard->file, "signature");
    struct json_stream stream;
    struct reason inner;
    if (!items || !signature)
        return fail(why, "not a shard of Reprise: no items or no signature");
    json_stream_memory(&stream, items, strlen(items));
    if (json_scan_value(&stream, &shard->items_text, &inner) < 0)
        return fail(why, "damaged: its list of items: %s", inner.text);
    const char *cursor = shard->items_text.bytes;
    struct json_span object;
    if (*cursor != '[')
        return fail(why, "damaged: its items are no list");
    while (json_next_element(&cursor, &object))
        if (read_item(shard, object, why) < 0)
            return -1;
    for (size_t i = 1; i < shard->count; i++)
        ((char *)shard->items[i].json)[-1] = 0; /* the comma before it, in our own buffer */
    shard->items_text.bytes[shard->items_text.count - 1] = 0;
    return 0;
}

/* `offsets` must be a list of count + 1 ascending positions from 0 to `rows`. */
static int check_offsets(const struct shard *shard, const char *name, size_t count, uint64_t rows, struct reason *why)
{
    uint64_t shape[2];
    const int64_t *offsets = shard_tensor(shard, name, SHARD_I64, shape);
    if (!offsets || shape[0] != count + 1 || shape[1] != 1 || offsets[0] != 0 || (uint64_t)offsets[count] != rows)
        return fail(why, "damaged: %s do not fit", name);
    for (size_t i = 0; i < count; i++)
        if (offsets[i] > offsets[i + 1])
            return fail(why, "damaged: %s do not ascend", name);
    return 0;
}

static int check_tensors(const struct shard *shard, struct reason *why)
{
    uint64_t ids[2], sequences[2], rows[2];
    if (shard_tensor(shard, "ids", SHARD_I32, ids)) {
        if (check_offsets(shard, "offsets", shard->count, ids[0], why) < 0)
            return -1;
        if (!shard_tensor(shard, "sequence_offsets", SHARD_I64, sequences))
            return 0;
        if (sequences[0] < 1 || check_offsets(shard, "sequence_offsets", (size_t)sequences[0] - 1, ids[0], why) < 0)
            return fail(why, "damaged: sequence_offsets do not fit");
        return check_offsets(shard, "item_sequences", shard->count, sequences[0] - 1, why);
    }
    if (!shard_tensor(shard, "n_tokens", SHARD_I32, rows) || rows[0] != shard->count)
        return fail(why, "damaged: neither tokens nor their number for each item");
    if (shard_tensor(shard, "states", SHARD_F32, rows) || shard_tensor(shard, "states", SHARD_F16, rows))
        return check_offsets(shard, "offsets", shard->count, rows[0], why);
    if ((!shard_tensor(shard, "embedding", SHARD_F32, rows) && !shard_tensor(shard, "embedding", SHARD_F16, rows)) || rows[0] != shard->count)
        return fail(why, "damaged: no embedding for each item");
    return 0;
}

/* The hash by which plan calls a shard of these items. -1 without memory. */
static int name_of_items(const struct shard *shard, struct hash *name)
{
    struct text_buffer keys = {0};
    for (size_t i = 0; i < shard->count; i++)
        text_add(&keys, (const char *)&shard->items[i].key, sizeof shard->items[i].key);
    *name = hash_bytes(keys.bytes, keys.count);
    int result = keys.failed ? -1 : 0;
    text_free(&keys);
    return result;
}

/* A name is a promise: <signature>/<hash of the items' keys>.tok. A sound file in the place of another breaks it. 1 and -1 with `why`: it does, no memory. */
static int is_misplaced(const struct shard *shard, const char *path, struct reason *why)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *folder = name - 1 - HASH_HEX;
    struct hash promised, held;
    if (hash_from_hex(name, &promised) == 0 && name[HASH_HEX] == '.') {
        if (name_of_items(shard, &held) < 0)
            return fail(why, "out of memory");
        if (!hash_equal(held, promised)) {
            fail(why, "misplaced: it holds other items than its name says");
            return 1;
        }
    }
    int in_signature = name - path > HASH_HEX && (folder == path || folder[-1] == '/') && hash_from_hex(folder, &promised) == 0;
    if (!in_signature || strncmp(shard_signature(shard), folder, HASH_HEX) == 0)
        return 0;
    fail(why, "misplaced: it was made with other settings than its folder says");
    return 1;
}

/* Whether the bytes on the disk, read anew, lack the hash that they state. Without memory or a descriptor nobody knows: then the file stays. */
static int is_damaged(const char *path)
{
    struct whole_file file = {0};
    struct hash stated, found = {0};
    if (whole_file_read(path, &file, NULL) < 0)
        return 0;
    const char *bytes = (const char *)file.bytes;
    int damaged = file.count < digits_at + HASH_HEX || memcmp(bytes + 8, HEADER_START, sizeof HEADER_START - 1) != 0 || hash_from_hex(bytes + digits_at, &stated) < 0;
    if (!damaged && hash_without_digits(bytes, file.count, &found) == 0)
        damaged = !hash_equal(found, stated);
    whole_file_free(&file);
    return damaged;
}

struct shard *shard_open(const char *path, const char *format, struct reason *why)
{
    struct stat status;
    int descriptor = open_regular(path, &status, why), misplaced = 0;
    if (descriptor < 0)
        return NULL;
    close(descriptor);
    struct shard *shard = calloc(1, sizeof *shard);
    if (!shard) {
        fail(why, "out of memory");
        return NULL;
    }
    shard->file = safetensors_open(path, why);
    int result = shard->file ? check_hash(shard->file, why) : -1;
    if (result == 0) {
        const char *stated = safetensors_metadata(shard->file, "format");
        if (!stated || strcmp(stated, format) != 0)
            result = fail(why, "its format is \"%s\", not \"%s\"", stated ? stated : "", format);
    }
    if (result == 0)
        result = read_items(shard, why);
    if (result == 0)
        result = check_tensors(shard, why);
    if (result == 0)
        misplaced = is_misplaced(shard, path, why);
    if (result == 0 && !misplaced)
        return shard;
    shard_close(shard);
    if (misplaced > 0 || is_damaged(path))
        set_aside(path, why);
    return NULL;
}

int shard_glance(const char *path, const char *format, size_t *items, size_t *errors, struct reason *why)
{
    struct shard *shard = calloc(1, sizeof *shard);
    if (!shard)
        return fail(why, "out of memory");
    shard->file = safetensors_open(path, why);
    const char *stated = shard->file ? safetensors_metadata(shard->file, "format") : NULL;
    int result = shard->file ? 0 : -1;
    if (result == 0 && (!stated || strcmp(stated, format) != 0))
        result = fail(why, "its format is \"%s\", not \"%s\"", stated ? stated : "", format);
    if (result == 0)
        result = read_items(shard, why);
    *items = shard->count;
    *errors = 0;
    for (size_t i = 0; i < shard->count; i++)
        *errors += shard->items[i].error != NULL;
    shard_close(shard);
    return result;
}

void shard_close(struct shard *shard)
{
    if (!shard)
        return;
    for (size_t i = 0; i < shard->count; i++)
        free(shard->items[i].error);
    free(shard->items);
    text_free(&shard->items_text);
    safetensors_close(shard->file);
    free(shard);
}

const char *shard_signature(const struct shard *shard)
{
    return safetensors_metadata(shard->file, "signature");
}

size_t shard_items(const struct shard *shard)
{
    return shard->count;
}

const char *shard_item_json(const struct shard *shard, size_t item)
{
    return shard->items[item].json;
}

struct hash shard_item_key(const struct shard *shard, size_t item)
{
    return shard->items[item].key;
}

const char *shard_item_error(const struct shard *shard, size_t item)
{
    return shard->items[item].error;
}

const void *shard_tensor(const struct shard *shard, const char *name, enum shard_type type, uint64_t shape[2])
{
    const struct tensor *tensor = safetensors_find(shard->file, name);
    enum tensor_type wanted = type == SHARD_I64 ? TENSOR_I64 : type == SHARD_I32 ? TENSOR_I32 : type == SHARD_F16 ? TENSOR_F16 : TENSOR_F32;
    if (!tensor || tensor->type != wanted || tensor->rank < 1 || tensor->rank > 2 || !tensor->aligned)
        return NULL;
    shape[0] = tensor->shape[0];
    shape[1] = tensor->rank == 2 ? tensor->shape[1] : 1;
    return tensor->data;
}
