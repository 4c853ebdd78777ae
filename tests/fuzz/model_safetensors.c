/* Weights: a safetensors file. Every tensor that is handed out must be readable to its last byte. */
#include "../../tools/lib/safetensors.h"
#include "memory_files.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile unsigned sum;
    struct reason why;
    memory_file_put("weights", data, size);
    struct safetensors *weights = safetensors_open("weights", &why);
    REQUIRE(weights || why.text[0]);
    if (!weights)
        return 0;
    for (size_t i = 0; i < safetensors_count(weights); i++) {
        const struct tensor *tensor = safetensors_tensor(weights, i);
        for (size_t j = 0; j < tensor->bytes; j++)
            sum += ((const unsigned char *)tensor->data)[j];
        REQUIRE(safetensors_find(weights, tensor->name) == tensor);
    }
    safetensors_close(weights);
    return 0;
}
