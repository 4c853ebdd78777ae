/* The reader of shards, .tok and .emb. A shard states the hash of its bytes, which is put right here first, so that what lies behind that check is reached. What is
 * opened can be walked through to its last number. */
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/lib/hash.h"
#include "../../tools/lib/shard.h"
#include "target.h"

#define DIGITS_AT (8 + sizeof "{\"__metadata__\":{\"xxh3\":\"" - 1)

static void put_hash(uint8_t *bytes, size_t size)
{
    char hex[HASH_HEX + 1];
    if (size < DIGITS_AT + HASH_HEX)
        return;
    memset(bytes + DIGITS_AT, '0', HASH_HEX);
    hash_to_hex(hash_bytes(bytes, size), hex);
    memcpy(bytes + DIGITS_AT, hex, HASH_HEX);
}

static void walk(const struct shard *shard)
{
    uint64_t shape[2];
    unsigned sum = 0;
    for (size_t i = 0; i < shard_items(shard); i++) {
        const char *error = shard_item_error(shard, i);
        sum += (unsigned)strlen(shard_item_json(shard, i)) + (error ? (unsigned)strlen(error) : 0);
    }
    const int32_t *ids = shard_tensor(shard, "ids", SHARD_I32, shape);
    for (uint64_t i = 0; ids && i < shape[0] * shape[1]; i++)
        sum += (unsigned)ids[i];
    const int64_t *offsets = shard_tensor(shard, "offsets", SHARD_I64, shape);
    for (uint64_t i = 0; offsets && i < shape[0] * shape[1]; i++)
        sum += (unsigned)offsets[i];
    const float *embedding = shard_tensor(shard, "embedding", SHARD_F32, shape);
    for (uint64_t i = 0; embedding && i < shape[0] * shape[1]; i++)
        sum += embedding[i] > 0;
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    struct reason why;
    size_t items, errors;
    if (file < 0)
        file = memfd_create("shard", 0);
    uint8_t *copy = fuzz_copy(data, size);
    if (size == 0 || data[size - 1] % 16) /* now and then the hash stays wrong */
        put_hash(copy, size);
    REQUIRE(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, copy, size, 0) == (ssize_t)size);
    free(copy);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    const char *const formats[] = {"reprise tok 1", "reprise emb 1"};
    for (int i = 0; i < 2; i++) {
        struct shard *shard = shard_open(path, formats[i], &why);
        if (shard)
            walk(shard);
        REQUIRE(shard || why.text[0]);
        shard_close(shard);
        (void)!shard_glance(path, formats[i], &items, &errors, &why);
    }
    return 0;
}
