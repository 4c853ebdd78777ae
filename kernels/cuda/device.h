/* What the kernels share on the device: element types, vectors of 16 bytes, reductions over a warp, and the launch. CUDA C++. */
#ifndef REPRISE_CUDA_DEVICE_H
#define REPRISE_CUDA_DEVICE_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <string.h>

#include "kernels.h"

enum { WARP = 32 };
#define WHOLE_WARP 0xffffffffu

/* ---- element types ---- */

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T> __device__ T from_float(float x);
template <> __device__ inline float from_float<float>(float x) { return x; }
template <> __device__ inline __half from_float<__half>(float x) { return __float2half_rn(x); }
template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) { return __float2bfloat16_rn(x); }

/* Two 16-bit elements in a register, the first one in the low half. */
template <typename T> __device__ uint32_t pack_pair(float first, float second);
template <> __device__ inline uint32_t pack_pair<__half>(float first, float second)
{
    const __half2 pair = __floats2half2_rn(first, second);
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}
template <> __device__ inline uint32_t pack_pair<__nv_bfloat16>(float first, float second)
{
    const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

/* ---- vectors: 16 bytes of a row, as floats ---- */

template <typename T> struct vector_of { static const int width = 16 / sizeof(T); };

template <typename T> __device__ inline void load_vector(const T *at, float values[vector_of<T>::width])
{
    const uint4 bits = *reinterpret_cast<const uint4 *>(at);
    T elements[vector_of<T>::width];
    memcpy(elements, &bits, sizeof bits);
#pragma unroll
    for (int i = 0; i < vector_of<T>::width; i++)
        values[i] = to_float(elements[i]);
}

template <typename T> __device__ inline void store_vector(T *at, const float values[vector_of<T>::width])
{
    T elements[vector_of<T>::width];
    uint4 bits;
#pragma unroll
    for (int i = 0; i < vector_of<T>::width; i++)
        elements[i] = from_float<T>(values[i]);
    memcpy(&bits, elements, sizeof bits);
    *reinterpret_cast<uint4 *>(at) = bits;
}

/* ---- a warp ---- */

__device__ inline float warp_sum(float x)
{
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(WHOLE_WARP, x, step);
    return x;
}

/* ---- a block's shared memory, as large as the launch says ---- */

#ifdef REPRISE_SHIM
#define shared_memory() shim_shared_memory()
#else
__device__ inline unsigned char *shared_memory()
{
    extern __shared__ uint4 block_memory[];
    return reinterpret_cast<unsigned char *>(block_memory);
}
#endif

/* ---- launches ---- */

enum { SHARED_UNASKED = 48 * 1024 }; /* what a block may take without being allowed more */

template <typename... Parameters, typename... Arguments>
inline cudaError_t launch_kernel(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared, cudaStream_t stream, Arguments... arguments)
{
    if (shared > SHARED_UNASKED) {
        const cudaError_t error = cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
        if (error != cudaSuccess)
            return error;
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

inline unsigned blocks_for(int count, int each)
{
    return count < 1 ? 1u : static_cast<unsigned>((count + each - 1) / each);
}

#endif
