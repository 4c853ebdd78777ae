/* From the last hidden states to embeddings: pooling (Reimers & Gurevych 2019, arXiv 1908.10084), a dense head, length 1. A block takes a text, some columns of
 * one, or a few texts; all in f32, as there is little of it. */
#include "device.h"

enum { THREADS = 128, WARPS = THREADS / WARP };

/* ---- pooling ---- */

enum { AT_ONCE = 16 }; /* loads on their way: a batch has few texts, and a thread would wait for one row after the other */

/* One element of a pooled row, over the rows first … tokens - 1: `states` points to its column in the text's first row. */
template <typename T> static __device__ float pool_column(int mode, const T *states, size_t hidden, int first, int tokens)
{
    const float count = static_cast<float>(tokens - first);
    float sum = 0, largest = to_float(states[static_cast<size_t>(first) * hidden]);
    switch (mode) {
    case POOL_CLS: return largest;
    case POOL_LAST_TOKEN: return to_float(states[static_cast<size_t>(tokens - 1) * hidden]);
    case POOL_MAX:
        for (int t = first + 1; t < tokens; t++)
            largest = fmaxf(largest, to_float(states[static_cast<size_t>(t) * hidden]));
        return largest;
    case POOL_WEIGHTED_MEAN:
        for (int t = first; t < tokens; t++)
            sum += static_cast<float>(t + 1) * to_float(states[static_cast<size_t>(t) * hidden]);
        return sum / (static_cast<float>(first + 1 + tokens) * count / 2);
    default:
        for (int t = first; t < tokens; t += AT_ONCE) {
            float values[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                values[i] = t + i < tokens ? to_float(states[static_cast<size_t>(t + i) * hidden]) : 0;
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                sum += values[i];
        }
        return mode == POOL_MEAN_SQRT_LEN ? sum / sqrtf(count) : sum / count;
    }
}

template <typename T> static __global__ void __launch_bounds__(THREADS) pool_kernel(batch batch, int hidden, const T *states, poolings poolings, float *pooled)
{
    const int text = static_cast<int>(blockIdx.x), column = static_cast<int>(blockIdx.y) * THREADS + static_cast<int>(threadIdx.x);
    if (text >= batch.counts[BATCH_TEXTS] || column >= hidden)
        return;
    const int first = batch.offsets[text], tokens = batch.offsets[text + 1] - first;
    const int begin = poolings.skipped < tokens ? poolings.skipped : tokens - 1;
    const size_t wide = static_cast<size_t>(hidden);
    for (int mode = 0; mode < poolings.count; mode++)
        pooled[(static_cast<size_t>(text) * static_cast<size_t>(poolings.count) + static_cast<size_t>(mode)) * wide + static_cast<size_t>(column)] =
            pool_column(poolings.mode[mode], states + static_cast<size_t>(first) * wide + column, wide, begin, tokens);
}

cudaError_t cuda_pool(enum element element, struct launch launch, struct batch batch, int hidden, const void *states, struct poolings poolings, float *pooled)
{
    const dim3 grid(blocks_for(launch.texts, 1), blocks_for(hidden, THREADS));
    switch (element) {
    case ELEMENT_F32:
        return launch_kernel(pool_kernel<float>, grid, THREADS, 0, launch.stream, batch, hidden, static_cast<const float *>(states), poolings, pooled);
    case ELEMENT_F16:
        return launch_kernel(pool_kernel<__half>, grid, THREADS, 0, launch.stream, batch, hidden, static_cast<const __half *>(states), poolings, pooled);
    case ELEMENT_BF16:
        return launch_kernel(pool_kernel<__nv_bfloat16>, grid, THREADS, 0, launch.stream, batch, hidden, static_cast<const __nv_bfloat16 *>(states), poolings,
                             pooled);
    }
    return cudaErrorInvalidValue;
}

/* ---- the dense head ---- */

enum { DENSE_TEXTS = 8, DENSE_OUTPUTS = 32 }; /* of a block: so many texts share a row of weights that was read */

static __device__ float activate(dense_activation activation, float x)
{
    switch (activation) {
    case DENSE_TANH: return tanhf(x);
    case DENSE_RELU: return fmaxf(x, 0);
    case DENSE_SIGMOID: return 1 / (1 + expf(-x));
    case DENSE_GELU: return 0.5f * x * (1 + erff(x * 0.70710678f));
    default: return x;
    }
}

static __global__ void __launch_bounds__(THREADS) dense_kernel(batch batch, dense dense, const float *x, float *y)
{
    const int first = static_cast<int>(blockIdx.x) * DENSE_TEXTS, left = batch.counts[BATCH_TEXTS] - first, texts = left < DENSE_TEXTS ? left : DENSE_TEXTS;
    if (texts <= 0)
        return;
    const float *rows[DENSE_TEXTS]; /* behind the last text: the last one again */
#pragma unroll
    for (int t = 0; t < DENSE_TEXTS; t++)
        rows[t] = x + static_cast<size_t>(first + (t < texts ? t : texts - 1)) * static_cast<size_t>(dense.inputs);
    const int lane = static_cast<int>(threadIdx.x) % WARP, begin = static_cast<int>(blockIdx.y) * DENSE_OUTPUTS;
    for (int output = begin + static_cast<int>(threadIdx.x) / WARP; output < dense.outputs && output < begin + DENSE_OUTPUTS; output += WARPS) {
        const float *weights = dense.weights + static_cast<size_t>(output) * static_cast<size_t>(dense.inputs);
        float sums[DENSE_TEXTS] = {};
        for (int i = lane; i < dense.inputs; i += WARP)
#pragma unroll
            for (int t = 0; t < DENSE_TEXTS; t++)
                sums[t] += weights[i] * rows[t][i];
#pragma unroll
        for (int t = 0; t < DENSE_TEXTS; t++) {
            const float sum = warp_sum(sums[t]) + (dense.bias ? dense.bias[output] : 0);
            if (lane == 0 && t < texts)
                y[static_cast<size_t>(first + t) * static_cast<size_t>(dense.outputs) + static_cast<size_t>(output)] = activate(dense.activation, sum);
        }
    }
}

cudaError_t cuda_dense(struct launch launch, struct batch batch, struct dense dense, const float *x, float *y)
{
    return launch_kernel(dense_kernel, dim3(blocks_for(launch.texts, DENSE_TEXTS), blocks_for(dense.outputs, DENSE_OUTPUTS)), THREADS, 0, launch.stream, batch,
                         dense, x, y);
}

/* ---- length 1 ---- */

static __global__ void __launch_bounds__(THREADS) normalize_kernel(batch batch, int width, int some, float *x)
{
    const int text = static_cast<int>(blockIdx.x);
    if (text >= batch.counts[BATCH_TEXTS])
        return;
    float *sums = reinterpret_cast<float *>(shared_memory()); /* [WARPS] */
    float *row = x + static_cast<size_t>(text) * static_cast<size_t>(width), squares = 0;
    for (int i = static_cast<int>(threadIdx.x); i < some; i += THREADS)
        squares += row[i] * row[i];
    squares = warp_sum(squares);
    if (threadIdx.x % WARP == 0)
        sums[threadIdx.x / WARP] = squares;
    __syncthreads();
    float total = 0;
    for (int i = 0; i < WARPS; i++)
        total += sums[i];
    const float length = fmaxf(sqrtf(total), 1e-12f);
    for (int i = static_cast<int>(threadIdx.x); i < width; i += THREADS)
        row[i] /= length;
}

cudaError_t cuda_normalize(struct launch launch, struct batch batch, int width, int some, float *x)
{
    return launch_kernel(normalize_kernel, dim3(blocks_for(launch.texts, 1)), THREADS, WARPS * sizeof(float), launch.stream, batch, width, some, x);
}
