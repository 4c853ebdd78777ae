/* Every call of CUDA and cuBLASLt is checked: what failed is said with the place, what was being done, and the library's own words. */
#ifndef REPRISE_CUDA_CHECK_H
#define REPRISE_CUDA_CHECK_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "../../tools/lib/message.h"
#include "library.h"

/* Fills `why` (if not NULL); returns -1. (The library is loaded by itself, so it has no part of tools/lib but the type.) */
int explain(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 0, -1 with `why`, or REPRISE_CUDA_NO_MEMORY with `why`. */
int check_cuda(cudaError_t error, const char *file, int line, const char *what, struct reason *why) __attribute__((warn_unused_result));
int check_cublas(cublasStatus_t status, const char *file, int line, const char *what, struct reason *why) __attribute__((warn_unused_result));

/* In functions that return an int and have a `why`. */
#define TRY_CUDA(call, what) \
    do { \
        const int result_ = check_cuda((call), __FILE__, __LINE__, (what), why); \
        if (result_ != 0) \
            return result_; \
    } while (0)
#define TRY_CUBLAS(call, what) \
    do { \
        const int result_ = check_cublas((call), __FILE__, __LINE__, (what), why); \
        if (result_ != 0) \
            return result_; \
    } while (0)
#define TRY(call) \
    do { \
        const int result_ = (call); \
        if (result_ != 0) \
            return result_; \
    } while (0)

#endif
