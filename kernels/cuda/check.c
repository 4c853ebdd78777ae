#include "check.h"

#include <stdarg.h>
#include <stdio.h>

int explain(struct reason *why, const char *format, ...)
{
    if (!why)
        return -1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return -1;
}

int check_cuda(cudaError_t error, const char *file, int line, const char *what, struct reason *why)
{
    if (error == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* or an error that is dealt with would be found again by a later call */
    explain(why, "%s:%d: %s: %s (%s)", file, line, what, cudaGetErrorString(error), cudaGetErrorName(error));
    return error == cudaErrorMemoryAllocation ? REPRISE_CUDA_NO_MEMORY : -1;
}

int check_cublas(cublasStatus_t status, const char *file, int line, const char *what, struct reason *why)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    explain(why, "%s:%d: %s: %s", file, line, what, cublasLtGetStatusName(status));
    return status == CUBLAS_STATUS_ALLOC_FAILED ? REPRISE_CUDA_NO_MEMORY : -1;
}
