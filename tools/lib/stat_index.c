#include "stat_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "midi_key.h"
#include "whole_file.h"

struct entry {
    struct hash path;
    uint64_t device, inode, size;
    int64_t modified, changed; /* nanoseconds since 1970 */
    struct hash key;
    uint64_t may_be_abc;
};

/* The file: this header, then `count` entries; `check` is the hash of the entries. Native byte order: it never leaves the machine that wrote it, and elsewhere `magic` differs. */
struct index_header { uint64_t magic, count; struct hash check; };
static const uint64_t index_magic = 0x32786449737052; /* "RpsIdx2" */

struct stat_index {
    char *path;
    struct whole_file known_file;
    const struct entry *known;
    size_t known_count;
    uint32_t *slots; /* hash table over `known`: index + 1, 0 is free */
    size_t slot_mask;
    size_t expected; /* most files are asked for in the order of the last time */
    struct entry *entries;
    size_t count, capacity, read, taken;
    int64_t young; /* entries from this time on are not kept */
    struct whole_file content;
};

static void load(struct stat_index *index)
{
    if (whole_file_read(index->path, &index->known_file, NULL) < 0)
        return;
    struct index_header header;
    const struct whole_file *file = &index->known_file;
    if (file->count < sizeof header)
        return;
    memcpy(&header, file->bytes, sizeof header);
    size_t room = file->count - sizeof header;
    if (header.magic != index_magic || header.count != room / sizeof(struct entry) || room % sizeof(struct entry) || header.count >= UINT32_MAX / 4 ||
        !hash_equal(header.check, hash_bytes(file->bytes + sizeof header, room))) {
        message(MESSAGE_DEBUG, index->path, "not a sound index: ignored, all files are read again");
        return;
    }
    index->known = (const struct entry *)(const void *)(file->bytes + sizeof header);
    size_t slots = 16;
    while (slots < header.count * 2)
        slots *= 2;
    index->slots = calloc(slots, sizeof *index->slots);
    if (!index->slots)
        return; /* then nothing is known, and all is read */
    index->slot_mask = slots - 1;
    index->known_count = (size_t)header.count;
    for (size_t i = 0; i < index->known_count; i++) {
        size_t slot = (size_t)index->known[i].path.low & index->slot_mask;
        while (index->slots[slot])
            slot = (slot + 1) & index->slot_mask;
        index->slots[slot] = (uint32_t)i + 1;
    }
}

struct stat_index *stat_index_open(const char *path, struct reason *why)
{
    struct stat_index *index = calloc(1, sizeof *index);
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    if (!index || !(index->path = strdup(path))) {
        free(index);
        fail(why, "out of memory");
        return NULL;
    }
    index->young = ((int64_t)time.tv_sec - 2) * 1000000000 + time.tv_nsec;
    load(index);
    return index;
}

static const struct entry *find(struct stat_index *index, struct hash path)
{
    if (index->known_count == 0)
        return NULL;
    if (index->expected < index->known_count && hash_equal(index->known[index->expected].path, path))
        return &index->known[index->expected++];
    for (size_t slot = (size_t)path.low & index->slot_mask; index->slots[slot]; slot = (slot + 1) & index->slot_mask) {
        size_t at = index->slots[slot] - 1;
        if (hash_equal(index->known[at].path, path)) {
            index->expected = at + 1;
            return &index->known[at];
        }
    }
    return NULL;
}

static int keep(struct stat_index *index, const struct entry *entry)
{
    if (entry->modified >= index->young || entry->changed >= index->young)
        return 0;
    if (index->count == index->capacity) {
        size_t capacity = index->capacity ? index->capacity * 2 : 1024;
        struct entry *entries = reallocarray(index->entries, capacity, sizeof *entries);
        if (!entries)
            return errno = ENOMEM, -1;
        index->entries = entries;
        index->capacity = capacity;
    }
    index->entries[index->count++] = *entry;
    return 0;
}

static struct entry entry_of(struct hash path, const struct stat *status)
{
    return (struct entry){
        .path = path,
        .device = (uint64_t)status->st_dev,
        .inode = (uint64_t)status->st_ino,
        .size = (uint64_t)status->st_size,
        .modified = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
        .changed = (int64_t)status->st_ctim.tv_sec * 1000000000 + status->st_ctim.tv_nsec,
    };
}

static int same_file(const struct entry *a, const struct entry *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified == b->modified && a->changed == b->changed;
}

int stat_index_hash(struct stat_index *index, const char *path, struct hash *key, int *is_abc, struct reason *why)
{
    struct stat status;
    struct hash path_hash = hash_bytes(path, strlen(path));
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, R_OK) == 0) {
        struct entry asked = entry_of(path_hash, &status);
        const struct entry *known = find(index, path_hash);
        if (known && same_file(known, &asked)) {
            index->taken++;
            *key = asked.key = known->key;
            asked.may_be_abc = known->may_be_abc;
            *is_abc = known->may_be_abc != 0;
            return keep(index, &asked) < 0 ? fail(why, "out of memory") : 0;
        }
    }
    /* The state is taken before the bytes: a change while they are read shows in the next comparison. */
    int descriptor = open_regular(path, &status, why);
    if (descriptor < 0)
        return -1;
    close(descriptor);
    if (whole_file_read(path, &index->content, why) < 0)
        return -1;
    index->read++;
    struct entry read = entry_of(path_hash, &status);
    *key = read.key = hash_bytes(index->content.bytes, index->content.count);
    *is_abc = may_be_abc(index->content.bytes, index->content.count);
    read.may_be_abc = (uint64_t)*is_abc;
    return keep(index, &read) < 0 ? fail(why, "out of memory") : 0;
}

size_t stat_index_files_read(const struct stat_index *index)
{
    return index->read;
}

size_t stat_index_files_known(const struct stat_index *index)
{
    return index->taken;
}

void stat_index_abandon(struct stat_index *index)
{
    if (!index)
        return;
    whole_file_free(&index->known_file);
    whole_file_free(&index->content);
    free(index->slots);
    free(index->entries);
    free(index->path);
    free(index);
}

int stat_index_close(struct stat_index *index, struct reason *why)
{
    struct index_header header = {.magic = index_magic, .count = index->count};
    header.check = hash_bytes(index->entries, index->count * sizeof *index->entries);
    int result = -1;
    struct atomic_file *file = atomic_file_open(index->path, why);
    if (file) {
        atomic_file_write(file, &header, sizeof header);
        atomic_file_write(file, index->entries, index->count * sizeof *index->entries);
        result = atomic_file_commit(file, why);
    }
    stat_index_abandon(index);
    return result;
}
