#include "device_memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"

void must(cudaError_t error, const char *file, int line)
{
    if (error == cudaSuccess)
        return;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, cudaGetErrorName(error), cudaGetErrorString(error));
    exit(2);
}

void out_of_memory(void)
{
    fprintf(stderr, "out of memory\n");
    exit(2);
}

cudaStream_t test_stream(void)
{
    static cudaStream_t stream;
    if (!stream)
        MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

void *device_bytes(size_t bytes)
{
    void *memory;
    MUST(cudaMalloc(&memory, bytes ? bytes : 1));
    MUST(cudaMemsetAsync(memory, 0xff, bytes, test_stream()));
    return memory;
}

void *device_copy(const void *bytes, size_t count)
{
    void *memory = device_bytes(count);
    MUST(cudaMemcpyAsync(memory, bytes, count, cudaMemcpyHostToDevice, test_stream()));
    MUST(cudaStreamSynchronize(test_stream()));
    return memory;
}

void *device_elements(enum element element, const float *values, size_t count)
{
    float *floats = device_copy(values, count * sizeof *values);
    if (element == ELEMENT_F32)
        return floats;
    void *elements = device_bytes(count * element_size(element));
    MUST(cuda_convert(element, test_stream(), count, floats, elements));
    MUST(cudaStreamSynchronize(test_stream()));
    device_free(floats);
    return elements;
}

float *host_values(enum element element, const void *device, size_t count)
{
    void *bytes = malloc(count * element_size(element) + 1);
    float *values = malloc(count * sizeof *values + 1);
    if (!bytes || !values)
        out_of_memory();
    MUST(cudaMemcpyAsync(bytes, device, count * element_size(element), cudaMemcpyDeviceToHost, test_stream()));
    MUST(cudaStreamSynchronize(test_stream()));
    for (size_t i = 0; i < count; i++)
        values[i] = element_value(element, bytes, i);
    free(bytes);
    return values;
}

void device_free(void *memory)
{
    MUST(cudaFree(memory));
}

double uniform(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1;
}

int pick(int least, int most)
{
    return least + (int)((uniform() + 1) / 2 * (most - least + 1)) % (most - least + 1);
}

float *random_values(enum element element, size_t count, double size)
{
    float *values = malloc(count * sizeof *values + 1);
    if (!values)
        out_of_memory();
    for (size_t i = 0; i < count; i++)
        values[i] = rounded(element, (float)(size * uniform()));
    return values;
}

const char *const element_names[3] = {[ELEMENT_F32] = "f32", [ELEMENT_F16] = "f16", [ELEMENT_BF16] = "bf16"};

int test_arguments_read(int argc, char **argv, struct test_arguments *arguments)
{
    int named = 0;
    *arguments = (struct test_arguments){0};
    for (int i = 1; i < argc; i++) {
        int element = 0;
        while (element < 3 && strcmp(argv[i], element_names[element]) != 0)
            element++;
        if (element < 3)
            named = arguments->elements[element] = 1;
        else if (strcmp(argv[i], "--quick") == 0)
            arguments->quick = 1;
        else
            return -1;
    }
    for (int element = 0; element < 3; element++)
        arguments->elements[element] |= !named;
    return 0;
}
