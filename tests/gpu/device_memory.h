/* Arrays on the device for the tests. Any call that fails ends the program with the place. */
#ifndef TESTS_GPU_DEVICE_MEMORY_H
#define TESTS_GPU_DEVICE_MEMORY_H

#include <cuda_runtime_api.h>
#include <stddef.h>

#include "../../kernels/cuda/kernels.h"

#define MUST(call) must((call), __FILE__, __LINE__)
void must(cudaError_t error, const char *file, int line);
void out_of_memory(void) __attribute__((noreturn));

cudaStream_t test_stream(void);

/* New memory on the device, every byte 0xff: NaN, whatever the type. */
void *device_bytes(size_t bytes);
/* A copy of f32 values on the device, converted to the element's type. */
void *device_elements(enum element element, const float *values, size_t count);
void *device_copy(const void *bytes, size_t count);
/* Values from the device as new f32 ones, when all work in the test's stream is done. */
float *host_values(enum element element, const void *device, size_t count);
void device_free(void *memory);

/* -1 .. 1, the same on every machine; a whole number from `least` to `most`; an array, rounded to the element. */
double uniform(void);
int pick(int least, int most);
float *random_values(enum element element, size_t count, double size);

/* The arguments of a test program, [--quick] [f32|f16|bf16]…: the elements that are named, or all. 0, or -1: there was another one. */
struct test_arguments { int quick, elements[3]; };
int test_arguments_read(int argc, char **argv, struct test_arguments *arguments);
extern const char *const element_names[3];

#endif
