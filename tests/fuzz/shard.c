/* The reader of shards, .tok and .emb, the last byte's lowest bit says which. A shard states the hash of its bytes, which is put right here first, so that what lies behind that check is reached. What is
 * opened can be walked through to its last number. */
#include "../../tools/lib/hash.h"
#include "../../tools/lib/shard.h"
#include "memory_files.h"
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
    static const char *const formats[] = {"reprise tok 1", "reprise emb 1"};
    struct reason why;
    size_t items, errors;
    const char *format = formats[size > 0 && data[size - 1] & 1];
    uint8_t *copy = fuzz_copy(data, size);
    if (size == 0 || data[size - 1] % 16) /* now and then the hash stays wrong */
        put_hash(copy, size);
    memory_file_put("shard", copy, size);
    struct shard *shard = shard_open("shard", format, &why);
    if (shard)
        walk(shard);
    REQUIRE(shard || why.text[0]);
    shard_close(shard);
    (void)!shard_glance("shard", format, &items, &errors, &why);
    free(copy);
    return 0;
}
