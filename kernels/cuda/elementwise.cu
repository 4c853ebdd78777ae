/* GELU by the error function, where the matrix product cannot end with it, the conversion of weights, and what devices all this is built for. */
#include "device.h"

enum { THREADS = 256 };

/* gelu(x) = x Phi(x) (Hendrycks & Gimpel 2016, arXiv 1606.08415). */
static __device__ inline float gelu(float x)
{
    return 0.5f * x * (1 + erff(x * 0.70710678f));
}

/* A thread takes a vector; the rows of a batch lie end to end. */
template <typename T> static __global__ void __launch_bounds__(THREADS) gelu_kernel(batch batch, int width, T *x)
{
    const int length = vector_of<T>::width;
    const size_t at = (static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x) * length;
    if (at >= static_cast<size_t>(batch.counts[BATCH_TOKENS]) * static_cast<size_t>(width))
        return;
    float values[length];
    load_vector(x + at, values);
#pragma unroll
    for (int i = 0; i < length; i++)
        values[i] = gelu(values[i]);
    store_vector(x + at, values);
}

template <typename T> static cudaError_t launch_gelu(launch launch, batch batch, int width, void *x)
{
    const size_t a_block = static_cast<size_t>(THREADS) * vector_of<T>::width;
    const size_t elements = static_cast<size_t>(launch.rows) * static_cast<size_t>(width), blocks = (elements + a_block - 1) / a_block;
    if (width % HIDDEN_UNIT || blocks > 0x7fffffffu)
        return cudaErrorInvalidValue;
    return launch_kernel(gelu_kernel<T>, dim3(static_cast<unsigned>(blocks)), THREADS, 0, launch.stream, batch, width, static_cast<T *>(x));
}

cudaError_t cuda_gelu(enum element element, struct launch launch, struct batch batch, int width, void *x)
{
    switch (element) {
    case ELEMENT_F32: return launch_gelu<float>(launch, batch, width, x);
    case ELEMENT_F16: return launch_gelu<__half>(launch, batch, width, x);
    case ELEMENT_BF16: return launch_gelu<__nv_bfloat16>(launch, batch, width, x);
    }
    return cudaErrorInvalidValue;
}

/* A grid of a fixed size strides over the weights. */
template <typename T> static __global__ void __launch_bounds__(THREADS) convert_kernel(size_t count, const float *from, T *to)
{
    for (size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += static_cast<size_t>(gridDim.x) * THREADS)
        to[i] = from_float<T>(from[i]);
}

template <typename T> static cudaError_t launch_convert(cudaStream_t stream, size_t count, const float *from, void *to)
{
    const size_t blocks = (count + THREADS - 1) / THREADS;
    const unsigned grid = blocks < 1 ? 1u : blocks > 1024 ? 1024u : static_cast<unsigned>(blocks);
    return launch_kernel(convert_kernel<T>, dim3(grid), THREADS, 0, stream, count, from, static_cast<T *>(to));
}

cudaError_t cuda_convert(enum element element, cudaStream_t stream, size_t count, const float *from, void *to)
{
    switch (element) {
    case ELEMENT_F32: return launch_convert<float>(stream, count, from, to);
    case ELEMENT_F16: return launch_convert<__half>(stream, count, from, to);
    case ELEMENT_BF16: return launch_convert<__nv_bfloat16>(stream, count, from, to);
    }
    return cudaErrorInvalidValue;
}

/* The compute capabilities that the library has code for, times ten, ascending. */
#ifdef __CUDA_ARCH_LIST__
static const int built_for[] = {__CUDA_ARCH_LIST__}; /* … times a hundred */
enum { BUILT_UNIT = 10 };
#else
static const int built_for[] = {70, 75, 80, 90};
enum { BUILT_UNIT = 1 };
#endif

int cuda_least_capability(void)
{
    return built_for[0] / BUILT_UNIT;
}

cudaError_t cuda_code_for(int capability, int *code)
{
    cudaFuncAttributes attributes;
    *code = 0;
    for (const int built : built_for)
        if (built / BUILT_UNIT <= capability)
            *code = built / BUILT_UNIT;
    return cudaFuncGetAttributes(&attributes, convert_kernel<float>);
}
