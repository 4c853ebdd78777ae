#include "safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "whole_file.h"

#define HEADER_LIMIT 100000000 /* as in the format's own library: what may be parsed for one file */

static const struct { const char *name; size_t size; } types[] = {
    [TENSOR_BOOL] = {"BOOL", 1}, [TENSOR_U8] = {"U8", 1},   [TENSOR_I8] = {"I8", 1},     [TENSOR_F8_E4M3] = {"F8_E4M3", 1}, [TENSOR_F8_E5M2] = {"F8_E5M2", 1},
    [TENSOR_U16] = {"U16", 2},   [TENSOR_I16] = {"I16", 2}, [TENSOR_F16] = {"F16", 2},   [TENSOR_BF16] = {"BF16", 2},       [TENSOR_U32] = {"U32", 4},
    [TENSOR_I32] = {"I32", 4},   [TENSOR_F32] = {"F32", 4}, [TENSOR_U64] = {"U64", 8},   [TENSOR_I64] = {"I64", 8},         [TENSOR_F64] = {"F64", 8},
};

struct safetensors {
    uint8_t *bytes;
    size_t count, header_end;
    cJSON *header; /* owns the names */
    const cJSON *metadata;
    struct tensor *tensors; /* by name */
    size_t tensor_count;
};

const char *tensor_type_name(enum tensor_type type)
{
    return types[type].name;
}

size_t tensor_type_size(enum tensor_type type)
{
    return types[type].size;
}

static int map_file(struct safetensors *file, const char *path, struct reason *why)
{
    struct stat status;
    int descriptor = open_regular(path, &status, why);
    if (descriptor < 0)
        return -1;
    int result = 0;
    if (status.st_size < 8) {
        result = fail(why, "not a safetensors file: %lld bytes are too few", (long long)status.st_size);
    } else {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (bytes == MAP_FAILED)
            result = fail_errno(why, "cannot be mapped");
        else
            file->bytes = bytes, file->count = (size_t)status.st_size;
    }
    close(descriptor);
    return result;
}

/* Finds and parses the header. */
static int parse_header(struct safetensors *file, struct reason *why)
{
    static const char pointer[] = "version https://git-lfs";
    uint64_t length = 0;
    if (file->count >= sizeof pointer - 1 && memcmp(file->bytes, pointer, sizeof pointer - 1) == 0)
        return fail(why, "no weights but a pointer to them, as Git leaves it without LFS (git lfs pull fetches them)");
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file->bytes[i];
    if (length < 2 || length > file->count - 8)
        return fail(why, "not a safetensors file: the header would have %llu bytes, the file has %zu", (unsigned long long)length, file->count);
    if (length > HEADER_LIMIT)
        return fail(why, "the header has %llu bytes, more than %d are not read", (unsigned long long)length, HEADER_LIMIT);
    const char *text = (const char *)file->bytes + 8, *end = NULL;
    file->header_end = 8 + (size_t)length;
    errno = 0;
    if (*text == '{')
        file->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, 0);
    if (!file->header && errno == ENOMEM) /* the parser does not tell it from a fault in the text */
        return fail(why, "out of memory");
    if (!cJSON_IsObject(file->header))
        return fail(why, "not a safetensors file: the header is not a JSON object");
    while (end < text + length && (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
        end++;
    if (end != text + length)
        return fail(why, "the header goes on behind its JSON object, at byte %zu", (size_t)(end - (const char *)file->bytes));
    return 0;
}

/* A whole number from 0 to 2^53, beyond which a JSON reader's doubles lose it. */
static int whole_number(const cJSON *value, uint64_t *number)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= 9007199254740992.0))
        return -1;
    *number = (uint64_t)value->valuedouble;
    return (double)*number == value->valuedouble ? 0 : -1;
}

static int read_type(struct tensor *tensor, const cJSON *dtype, struct reason *why)
{
    if (!cJSON_IsString(dtype))
        return fail(why, "tensor %s: no dtype", tensor->name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, dtype->valuestring) == 0) {
            tensor->type = (enum tensor_type)i;
            return 0;
        }
    return fail(why, "tensor %s: dtype %s is not known", tensor->name, dtype->valuestring);
}

/* Reads the shape; `bytes` becomes what it takes. */
static int read_shape(struct tensor *tensor, const cJSON *shape, uint64_t *bytes, struct reason *why)
{
    if (!cJSON_IsArray(shape))
        return fail(why, "tensor %s: no shape", tensor->name);
    for (int i = 0; i < TENSOR_RANK; i++)
        tensor->shape[i] = 1;
    *bytes = types[tensor->type].size;
    const cJSON *extent;
    cJSON_ArrayForEach(extent, shape) {
        if (tensor->rank == TENSOR_RANK)
            return fail(why, "tensor %s: more than %d dimensions", tensor->name, TENSOR_RANK);
        uint64_t *into = &tensor->shape[tensor->rank++];
        if (whole_number(extent, into) < 0)
            return fail(why, "tensor %s: its shape holds something else than whole numbers", tensor->name);
        if (__builtin_mul_overflow(*bytes, *into, bytes))
            return fail(why, "tensor %s: its shape is too large", tensor->name);
    }
    return 0;
}

static int read_tensor(const struct safetensors *file, const cJSON *entry, struct tensor *tensor, struct reason *why)
{
    *tensor = (struct tensor){.name = entry->string};
    uint64_t bytes = 0, begin, end, room = file->count - file->header_end;
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    if (read_type(tensor, cJSON_GetObjectItemCaseSensitive(entry, "dtype"), why) < 0 ||
        read_shape(tensor, cJSON_GetObjectItemCaseSensitive(entry, "shape"), &bytes, why) < 0)
        return -1;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || whole_number(offsets->child, &begin) < 0 || whole_number(offsets->child->next, &end) < 0)
        return fail(why, "tensor %s: data_offsets are not two whole numbers", tensor->name);
    if (begin > end || end > room)
        return fail(why, "tensor %s: bytes %llu to %llu lie outside the %llu bytes of data", tensor->name, (unsigned long long)begin,
                    (unsigned long long)end, (unsigned long long)room);
    if (end - begin != bytes)
        return fail(why, "tensor %s: %llu bytes, but its type and shape take %llu", tensor->name, (unsigned long long)(end - begin), (unsigned long long)bytes);
    tensor->data = file->bytes + file->header_end + begin;
    tensor->bytes = (size_t)bytes;
    tensor->aligned = (uintptr_t)tensor->data % types[tensor->type].size == 0;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *left = a, *right = b;
    if (left->data != right->data)
        return (const char *)left->data < (const char *)right->data ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes; /* empty ones first */
}

/* Tensors lie side by side and fill the data; no name occurs twice. Leaves them in order of name. */
static int check_layout(struct safetensors *file, struct reason *why)
{
    const uint8_t *at = file->bytes + file->header_end;
    if (file->tensor_count)
        qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_place);
    for (size_t i = 0; i < file->tensor_count; i++) {
        if (file->tensors[i].data != at)
            return fail(why, "tensor %s does not begin where the one before it ends", file->tensors[i].name);
        at += file->tensors[i].bytes;
    }
    if (at != file->bytes + file->count)
        return fail(why, "%zu bytes behind the last tensor belong to none (cut short, or damaged)", (size_t)(file->bytes + file->count - at));
    if (file->tensor_count)
        qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_name);
    for (size_t i = 1; i < file->tensor_count; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return fail(why, "tensor %s is there twice", file->tensors[i].name);
    return 0;
}

static int read_metadata(struct safetensors *file, const cJSON *entry, struct reason *why)
{
    if (file->metadata || !cJSON_IsObject(entry))
        return fail(why, "__metadata__ is not one JSON object");
    const cJSON *value;
    cJSON_ArrayForEach(value, entry)
        if (!cJSON_IsString(value))
            return fail(why, "__metadata__: %s is not a string", value->string);
    file->metadata = entry;
    return 0;
}

static int read_entries(struct safetensors *file, struct reason *why)
{
    file->tensors = calloc((size_t)cJSON_GetArraySize(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors)
        return fail(why, "out of memory");
    const cJSON *entry;
    cJSON_ArrayForEach(entry, file->header) {
        if (strcmp(entry->string, "__metadata__") == 0) {
            if (read_metadata(file, entry, why) < 0)
                return -1;
        } else if (read_tensor(file, entry, &file->tensors[file->tensor_count++], why) < 0) {
            return -1;
        }
    }
    return check_layout(file, why);
}

struct safetensors *safetensors_open(const char *path, struct reason *why)
{
    struct safetensors *file = calloc(1, sizeof *file);
    if (!file) {
        fail(why, "out of memory");
        return NULL;
    }
    if (map_file(file, path, why) < 0 || parse_header(file, why) < 0 || read_entries(file, why) < 0) {
        safetensors_close(file);
        return NULL;
    }
    return file;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    if (file->bytes)
        munmap(file->bytes, file->count);
    cJSON_Delete(file->header);
    free(file->tensors);
    free(file);
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->tensor_count;
}

const struct tensor *safetensors_tensor(const struct safetensors *file, size_t index)
{
    return &file->tensors[index];
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    struct tensor wanted = {.name = name};
    return bsearch(&wanted, file->tensors, file->tensor_count, sizeof wanted, by_name);
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(file->metadata, key));
}

const uint8_t *safetensors_bytes(const struct safetensors *file, size_t *count, size_t *header_end)
{
    *count = file->count;
    *header_end = file->header_end;
    return file->bytes;
}
