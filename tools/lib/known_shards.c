#include "known_shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "whole_file.h"

/* The file: this header, then each shard's record and its keys. Native byte order, as the stat index. */
struct known_header { uint64_t magic, bytes; struct hash check; };
static const uint64_t known_magic = 0x316e776e6b737052; /* "Rpsknwn1" */
struct known_record { struct hash name; uint64_t kind, count; };

struct known_shard { struct known_record record; size_t keys; /* first of its keys */ uint32_t visited; };

/* A hash table over values that are hashes already: indices + 1 of shards or of keys, 0 is free. */
struct table { uint32_t *slots; size_t mask, count; };

struct known_shards {
    char *path;
    struct known_shard *shards;
    struct hash *keys; /* of all shards, end to end */
    size_t shard_count, shard_capacity, key_count, key_capacity;
    struct table names;              /* of shards, both kinds */
    struct table items[SHARD_KINDS]; /* of the keys in finished shards */
    uint32_t round;
    int changed;
};

static int table_reserve(struct table *table, size_t count)
{
    size_t slots = 64;
    while (slots <= count * 2)
        slots *= 2;
    table->slots = calloc(slots, sizeof *table->slots);
    table->mask = slots - 1;
    table->count = 0;
    return table->slots ? 0 : -1;
}

static void table_put(struct table *table, struct hash value, uint32_t index)
{
    size_t slot = (size_t)value.low & table->mask;
    while (table->slots[slot])
        slot = (slot + 1) & table->mask;
    table->slots[slot] = index + 1;
    table->count++;
}

static struct hash name_of(const struct known_shards *known, uint32_t index)
{
    return known->shards[index].record.name;
}

static int index_names(struct known_shards *known)
{
    free(known->names.slots);
    if (table_reserve(&known->names, known->shard_count * 2 + 64) < 0)
        return -1;
    for (size_t i = 0; i < known->shard_count; i++)
        table_put(&known->names, name_of(known, (uint32_t)i), (uint32_t)i);
    return 0;
}

static struct known_shard *find_name(const struct known_shards *known, enum shard_kind kind, struct hash name)
{
    for (size_t slot = (size_t)name.low & known->names.mask; known->names.slots[slot]; slot = (slot + 1) & known->names.mask) {
        struct known_shard *shard = &known->shards[known->names.slots[slot] - 1];
        if (shard->record.kind == kind && hash_equal(shard->record.name, name))
            return shard;
    }
    return NULL;
}

static int append(struct known_shards *known, const struct known_record *record, const struct hash *keys)
{
    size_t count = (size_t)record->count;
    if (known->shard_count == known->shard_capacity) {
        size_t capacity = known->shard_capacity ? known->shard_capacity * 2 : 256;
        struct known_shard *shards = reallocarray(known->shards, capacity, sizeof *shards);
        if (!shards)
            return -1;
        known->shards = shards;
        known->shard_capacity = capacity;
    }
    if (known->key_capacity - known->key_count < count) {
        size_t capacity = known->key_count + count + known->key_capacity;
        struct hash *grown = reallocarray(known->keys, capacity, sizeof *grown);
        if (!grown)
            return -1;
        known->keys = grown;
        known->key_capacity = capacity;
    }
    memcpy(known->keys + known->key_count, keys, count * sizeof *keys);
    known->shards[known->shard_count++] = (struct known_shard){.record = *record, .keys = known->key_count};
    known->key_count += count;
    return 0;
}

static int load(struct known_shards *known, const struct whole_file *file)
{
    struct known_header header;
    if (file->count < sizeof header)
        return 0;
    memcpy(&header, file->bytes, sizeof header);
    const uint8_t *at = file->bytes + sizeof header, *end = file->bytes + file->count;
    if (header.magic != known_magic || header.bytes != (uint64_t)(end - at) || !hash_equal(header.check, hash_bytes(at, (size_t)(end - at)))) {
        message(MESSAGE_DEBUG, known->path, "not a sound file: ignored, no earlier shard is reused");
        return 0;
    }
    while (at < end) {
        struct known_record record;
        if ((size_t)(end - at) < sizeof record)
            return 0;
        memcpy(&record, at, sizeof record);
        at += sizeof record;
        if (record.kind >= SHARD_KINDS || record.count > (uint64_t)(end - at) / sizeof(struct hash))
            return 0;
        if (append(known, &record, (const struct hash *)(const void *)at) < 0)
            return -1;
        at += record.count * sizeof(struct hash);
    }
    return 0;
}

struct known_shards *known_shards_open(const char *path, struct reason *why)
{
    struct known_shards *known = calloc(1, sizeof *known);
    struct whole_file file = {0};
    int result = known && (known->path = strdup(path)) ? 0 : -1;
    struct reason unreadable;
    if (result == 0 && whole_file_read(path, &file, &unreadable) == 0)
        result = load(known, &file);
    else if (result == 0 && errno != ENOENT && errno != ENOTDIR)
        message(MESSAGE_WARNING, path, "%s; no earlier shard is reused", unreadable.text);
    whole_file_free(&file);
    if (result == 0)
        result = index_names(known);
    if (result == 0)
        return known;
    fail(why, "out of memory");
    known_shards_close(known);
    return NULL;
}

int known_shards_add(struct known_shards *known, enum shard_kind kind, struct hash name, const struct hash *keys, size_t count, struct reason *why)
{
    if (find_name(known, kind, name))
        return 0;
    struct known_record record = {name, kind, count};
    if (known->key_count >= UINT32_MAX / 4)
        return fail(why, "more than %u items", UINT32_MAX / 4);
    if (append(known, &record, keys) < 0)
        return fail(why, "out of memory");
    known->changed = 1;
    if (known->names.count >= known->names.mask / 2)
        return index_names(known) < 0 ? fail(why, "out of memory") : 0;
    table_put(&known->names, name, (uint32_t)(known->shard_count - 1));
    return 0;
}

int known_shards_save(struct known_shards *known, struct reason *why)
{
    if (!known->changed)
        return 0;
    struct hash_state *state = hash_start();
    if (!state)
        return fail(why, "out of memory");
    struct known_header header = {.magic = known_magic};
    for (size_t i = 0; i < known->shard_count; i++) {
        const struct known_shard *shard = &known->shards[i];
        hash_add(state, &shard->record, sizeof shard->record);
        hash_add(state, known->keys + shard->keys, shard->record.count * sizeof(struct hash));
        header.bytes += sizeof shard->record + shard->record.count * sizeof(struct hash);
    }
    header.check = hash_end(state);
    struct atomic_file *file = atomic_file_open(known->path, why);
    if (!file)
        return -1;
    atomic_file_write(file, &header, sizeof header);
    for (size_t i = 0; i < known->shard_count; i++) {
        const struct known_shard *shard = &known->shards[i];
        atomic_file_write(file, &shard->record, sizeof shard->record);
        atomic_file_write(file, known->keys + shard->keys, shard->record.count * sizeof(struct hash));
    }
    return atomic_file_commit(file, why);
}

/* The slot of a key in the table of items, or the free slot where it belongs. */
static uint32_t *item_slot(const struct known_shards *known, const struct table *table, struct hash key)
{
    size_t slot = (size_t)key.low & table->mask;
    while (table->slots[slot] && !hash_equal(known->keys[table->slots[slot] - 1], key))
        slot = (slot + 1) & table->mask;
    return &table->slots[slot];
}

int known_shards_index(struct known_shards *known, enum shard_kind kind, shard_test *finished, void *context, struct reason *why)
{
    struct table *table = &known->items[kind];
    free(table->slots);
    if (table_reserve(table, known->key_count) < 0)
        return fail(why, "out of memory");
    for (size_t i = 0; i < known->shard_count; i++) {
        const struct known_shard *shard = &known->shards[i];
        if (shard->record.kind != kind || !finished(context, shard->record.name))
            continue;
        for (size_t key = shard->keys; key < shard->keys + shard->record.count; key++) {
            uint32_t *slot = item_slot(known, table, known->keys[key]);
            if (!*slot) { /* one place for each item is enough */
                *slot = (uint32_t)key + 1;
                table->count++;
            }
        }
    }
    return 0;
}

/* The shard whose keys include the one at `index`: keys of all shards lie end to end, in the order of the shards. */
static struct known_shard *owner_of(struct known_shards *known, size_t index)
{
    size_t low = 0, high = known->shard_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (known->shards[middle].keys <= index)
            low = middle;
        else
            high = middle;
    }
    return &known->shards[low];
}

int known_shards_holding(struct known_shards *known, enum shard_kind kind, struct hash missing, shard_visitor *visit, void *context, struct reason *why)
{
    const struct known_shard *wanted = find_name(known, kind, missing);
    const struct table *table = &known->items[kind];
    known->round++;
    for (size_t i = 0; wanted && table->count > 0 && i < wanted->record.count; i++) {
        uint32_t key = *item_slot(known, table, known->keys[wanted->keys + i]);
        struct known_shard *shard = key ? owner_of(known, key - 1) : NULL;
        if (!shard || shard->visited == known->round)
            continue;
        shard->visited = known->round;
        if (visit(context, shard->record.name, why) < 0)
            return -1;
    }
    return 0;
}

int known_shards_forget(struct known_shards *known, enum shard_kind kind, shard_test *kept, void *context, size_t *forgotten, struct reason *why)
{
    size_t remaining = 0; /* the keys stay where they are: only those of the remaining shards are written */
    for (size_t i = 0; i < known->shard_count; i++)
        if (known->shards[i].record.kind != kind || kept(context, known->shards[i].record.name))
            known->shards[remaining++] = known->shards[i];
    if (remaining == known->shard_count)
        return 0;
    *forgotten += known->shard_count - remaining;
    known->shard_count = remaining;
    known->changed = 1;
    return index_names(known) < 0 ? fail(why, "out of memory") : 0;
}

void known_shards_close(struct known_shards *known)
{
    if (!known)
        return;
    free(known->shards);
    free(known->keys);
    free(known->names.slots);
    for (int kind = 0; kind < SHARD_KINDS; kind++)
        free(known->items[kind].slots);
    free(known->path);
    free(known);
}
