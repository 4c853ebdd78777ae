/* The stand-in's part for device code: built-in variables, warp operations, and the launch (cuda_runtime_api.h). */
#ifndef SHIM_CUDA_RUNTIME_H
#define SHIM_CUDA_RUNTIME_H

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

struct uint3 { unsigned x, y, z; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/* ---- fibers.cpp ---- */
void shim_run_grid(dim3 grid, dim3 block, size_t shared, const std::function<void()> &thread);
unsigned char *shim_shared_memory();
/* Every lane of the warp gives some bytes (at most 32) and gets those of all, one behind the other, to be read before its next exchange. */
const void *shim_exchange(const void *mine, size_t bytes);
void shim_barrier();

/* ---- runtime.cpp ---- */
void shim_enqueue(cudaStream_t stream, std::function<void()> work);
bool shim_launch_fails();

inline void __syncthreads() { shim_barrier(); }
inline void __syncwarp()
{
    const char nothing = 0;
    shim_exchange(&nothing, 1);
}
inline void __trap() { abort(); }

template <typename T> T __shfl_xor_sync(unsigned, T value, int mask)
{
    const T *all = static_cast<const T *>(shim_exchange(&value, sizeof value));
    return all[(threadIdx.x % 32) ^ static_cast<unsigned>(mask)];
}

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...), Arguments... arguments)
{
    if (config->blockDim.x < 1 || config->blockDim.x > 1024 || config->gridDim.x < 1 || config->gridDim.y < 1 || config->gridDim.y > 65535 ||
        config->gridDim.z < 1 || config->gridDim.z > 65535 || config->dynamicSmemBytes > 227 * 1024)
        return cudaErrorInvalidValue;
    if (shim_launch_fails())
        return cudaErrorMemoryAllocation;
    const cudaLaunchConfig_t launch = *config;
    shim_enqueue(config->stream, [=] { shim_run_grid(launch.gridDim, launch.blockDim, launch.dynamicSmemBytes, [&] { kernel(arguments...); }); });
    return cudaSuccess;
}

struct cudaFuncAttributes { int ptxVersion; };
template <typename... Parameters> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *, void (*)(Parameters...)) { return cudaSuccess; }

inline cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute, int value)
{
    return value > 227 * 1024 ? cudaErrorInvalidValue : cudaSuccess;
}

#endif
