/* Reading safetensors files: model weights, and our own .tok and .emb shards.
 *
 * Promise: safetensors_open checks the whole layout before it hands out a pointer: the header's length, its JSON, every tensor's name, type, shape
 * and place (shape × type = bytes, tensors side by side without gap or overlap, the last one ending with the file). What it returns can be
 * read without further checks of size. The file is mapped, so weights are shared between processes; a file that is overwritten in place while it is
 * mapped breaks the promise (ours appear by rename only). Numbers in the file are little-endian, as on every machine this builds for. */
#ifndef REPRISE_SAFETENSORS_H
#define REPRISE_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

enum tensor_type {
    TENSOR_BOOL, TENSOR_U8, TENSOR_I8, TENSOR_F8_E4M3, TENSOR_F8_E5M2, TENSOR_U16, TENSOR_I16, TENSOR_F16, TENSOR_BF16,
    TENSOR_U32, TENSOR_I32, TENSOR_F32, TENSOR_U64, TENSOR_I64, TENSOR_F64
};

#define TENSOR_RANK 8 /* most dimensions that are accepted */

struct tensor {
    const char *name;
    enum tensor_type type;
    int rank;                    /* 0: a scalar */
    uint64_t shape[TENSOR_RANK]; /* the first `rank` are set, the others 1 */
    const void *data;            /* row-major */
    size_t bytes;
    int aligned;                 /* whether `data` may be read through a pointer of its type (a foreign writer need not care) */
};

struct safetensors;

/* NULL with `why` (which names no path). */
struct safetensors *safetensors_open(const char *path, struct reason *why) __attribute__((warn_unused_result));
void safetensors_close(struct safetensors *file); /* NULL is allowed */

size_t safetensors_count(const struct safetensors *file);
const struct tensor *safetensors_tensor(const struct safetensors *file, size_t index); /* in order of name */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name); /* NULL: there is none */
/* A value of __metadata__, NULL if there is no such key. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/* All the bytes of the file; the first *header_end of them are the length field and the header, the tensors' data follow. */
const uint8_t *safetensors_bytes(const struct safetensors *file, size_t *count, size_t *header_end);

const char *tensor_type_name(enum tensor_type type);
size_t tensor_type_size(enum tensor_type type);

#endif
