/* Weights: a safetensors file. Every tensor that is handed out must be readable to its last byte. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/lib/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    static volatile unsigned sum;
    char path[64];
    struct reason why;
    if (file < 0)
        file = memfd_create("weights", 0);
    if (file < 0 || ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct safetensors *weights = safetensors_open(path, &why);
    if (!weights)
        return why.text[0] ? 0 : (abort(), 0);
    for (size_t i = 0; i < safetensors_count(weights); i++) {
        const struct tensor *tensor = safetensors_tensor(weights, i);
        for (size_t j = 0; j < tensor->bytes; j++)
            sum += ((const unsigned char *)tensor->data)[j];
        if (safetensors_find(weights, tensor->name) != tensor)
            abort();
    }
    safetensors_close(weights);
    return 0;
}
