/* Shard files, .tok and .emb: safetensors files that anyone can open with a stock reader, with records that can be trusted.
 *
 * __metadata__ holds (all values are strings, as safetensors demands):
 *   format     "reprise tok 1" or "reprise emb 1"
 *   signature  of the program that wrote it
 *   xxh3       hash of the whole file, read with these 32 digits as zeros
 *   items      a JSON list, one object an item, in shard order: {"key":"<32 hex>"} plus "error":"<reason>" if quarantined, plus whatever the program knows of the item (for MIDI "duration", "tempo", "instruments", "notes")
 * .tok: ids i32 [total] (or [total, vocabularies]), offsets i64 [n+1]: item i has rows offsets[i] .. offsets[i+1]. One list per track (--no-programs): also
 *       sequence_offsets i64 [s+1] into ids and item_sequences i64 [n+1] into sequence_offsets.
 * .emb: n_tokens i32 [n] (token ids of the text with its special tokens, after truncation), and one of: embedding f32 or f16 [n, d], a quarantined item's row is zero; states f32 or
 *       f16 [total, hidden], or ids i32 [total], with offsets i64 [n+1]: item i has rows offsets[i] .. offsets[i+1], n_tokens of them.
 *
 * shard_open checks everything before it hands out a pointer: sizes, offsets, shapes, hash, and that a file named by hashes is in its place: WORK_DIR/…/
 * <signature>/<hash of the items' keys, end to end>.tok. */
#ifndef REPRISE_SHARD_H
#define REPRISE_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"

enum shard_type { SHARD_I32, SHARD_F32, SHARD_I64, SHARD_F16 };

/* -- writing -- */
struct shard_tensor {
    const char *name;
    enum shard_type type;
    int dimensions;    /* 1 or 2 */
    uint64_t shape[2]; /* rows first */
    const void *values; /* little-endian, shape[0] * shape[1] of them */
};

/* Writes `path` by temp + rename, and keeps it in the cache of finished shards too, where one is used (shard_cache.h). `items_json` is the complete JSON list. I64 tensors must come first, F16 ones last (alignment). 0 or -1 with `why`. */
int shard_write(const char *path, const char *format, const char *signature, const char *items_json, const struct shard_tensor *tensors, size_t tensor_count,
                struct reason *why) __attribute__((warn_unused_result));

/* -- reading -- */
struct shard;

/* Maps and verifies a shard of this format. NULL with `why`; a file that is damaged or in the place of another is also set aside under the name
 * `path.damaged`, so that the next run builds it again. A sound file stays, whatever else went wrong (no memory, no descriptors). */
struct shard *shard_open(const char *path, const char *format, struct reason *why) __attribute__((warn_unused_result));
/* Counts a shard's items and those with an error by its header alone: quick, and nothing is verified. 0, or -1 with `why`; the file stays as it is. */
int shard_glance(const char *path, const char *format, size_t *items, size_t *errors, struct reason *why) __attribute__((warn_unused_result));
void shard_close(struct shard *shard);
const char *shard_signature(const struct shard *shard);
/* The number of items, and item i's metadata object as compact JSON text, its key and its error (NULL: none). */
size_t shard_items(const struct shard *shard);
const char *shard_item_json(const struct shard *shard, size_t item);
struct hash shard_item_key(const struct shard *shard, size_t item);
const char *shard_item_error(const struct shard *shard, size_t item);
/* A tensor by name: its values, and its shape (shape[1] is 1 for a vector); NULL if absent or of another type. */
const void *shard_tensor(const struct shard *shard, const char *name, enum shard_type type, uint64_t shape[2]);

#endif
