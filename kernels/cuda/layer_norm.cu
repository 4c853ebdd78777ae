/* Layer normalization, fused with what comes before it: the sum of three embeddings, or a residual connection. A warp takes a row and keeps it in registers:
 * mean first, then the variance about that mean, as the CPU's kernel does. */
#include "device.h"

enum { WARPS = 4 };

/* A row's vectors are dealt to the lanes; lane l has vectors l, l + 32, … */
template <typename T, int VECTORS> struct row {
    static const int width = vector_of<T>::width;
    float values[VECTORS][width];

    /* Elements of vector v of this lane; false: the row ends before it. */
    static __device__ bool place(int v, int hidden, int *at)
    {
        *at = (v * WARP + static_cast<int>(threadIdx.x % WARP)) * width;
        return *at < hidden;
    }

    __device__ void set(int hidden, const T *from)
    {
#pragma unroll
        for (int v = 0, at; v < VECTORS; v++)
            if (place(v, hidden, &at))
                load_vector(from + at, values[v]);
    }

    __device__ void add(int hidden, const T *from)
    {
#pragma unroll
        for (int v = 0, at; v < VECTORS; v++)
            if (place(v, hidden, &at)) {
                float more[width];
                load_vector(from + at, more);
#pragma unroll
                for (int i = 0; i < width; i++)
                    values[v][i] += more[i];
            }
    }

    __device__ float sum_of(int hidden, float center, bool squared) const
    {
        float sum = 0;
#pragma unroll
        for (int v = 0, at; v < VECTORS; v++)
            if (place(v, hidden, &at)) {
#pragma unroll
                for (int i = 0; i < width; i++) {
                    const float difference = values[v][i] - center;
                    sum += squared ? difference * difference : difference;
                }
            }
        return warp_sum(sum);
    }

    __device__ void normalize(int hidden, layer_norm norm, T *to)
    {
        const float mean = sum_of(hidden, 0, false) / static_cast<float>(hidden);
        const float variance = sum_of(hidden, mean, true) / static_cast<float>(hidden);
        const float factor = 1 / sqrtf(variance + norm.epsilon);
#pragma unroll
        for (int v = 0, at; v < VECTORS; v++)
            if (place(v, hidden, &at)) {
                float gain[width], bias[width];
#pragma unroll
                for (int i = 0; i < width; i += 4) {
                    load_vector(norm.gain + at + i, gain + i);
                    load_vector(norm.bias + at + i, bias + i);
                }
#pragma unroll
                for (int i = 0; i < width; i++)
                    values[v][i] = (values[v][i] - mean) * factor * gain[i] + bias[i];
                store_vector(to + at, values[v]);
            }
    }
};

static __device__ inline int row_of_warp()
{
    return static_cast<int>(blockIdx.x) * WARPS + static_cast<int>(threadIdx.x) / WARP;
}

template <typename T, int VECTORS>
static __global__ void __launch_bounds__(WARPS *WARP) embed_kernel(batch batch, int hidden, embedding_tables tables, layer_norm norm, T *states)
{
    const int at = row_of_warp();
    if (at >= batch.counts[BATCH_TOKENS])
        return;
    const size_t wide = static_cast<size_t>(hidden);
    row<T, VECTORS> sum;
    sum.set(hidden, static_cast<const T *>(tables.words) + static_cast<size_t>(batch.ids[at]) * wide);
    if (tables.types)
        sum.add(hidden, static_cast<const T *>(tables.types));
    sum.add(hidden, static_cast<const T *>(tables.positions) + static_cast<size_t>(batch.positions[at]) * wide);
    sum.normalize(hidden, norm, states + static_cast<size_t>(at) * wide);
}

template <typename T, int VECTORS>
static __global__ void __launch_bounds__(WARPS *WARP) add_norm_kernel(batch batch, int hidden, T *states, const T *delta, layer_norm norm)
{
    const int at = row_of_warp();
    if (at >= batch.counts[BATCH_TOKENS])
        return;
    const size_t begin = static_cast<size_t>(at) * static_cast<size_t>(hidden);
    row<T, VECTORS> sum;
    sum.set(hidden, states + begin);
    sum.add(hidden, delta + begin);
    sum.normalize(hidden, norm, states + begin);
}

/* ---- the number of vectors a lane keeps is a constant of the kernel ---- */

template <typename T, int VECTORS> struct launcher {
    static cudaError_t embed(launch launch, batch batch, int hidden, embedding_tables tables, layer_norm norm, void *states)
    {
        return launch_kernel(embed_kernel<T, VECTORS>, dim3(blocks_for(launch.rows, WARPS)), WARPS * WARP, 0, launch.stream, batch, hidden, tables, norm,
                             static_cast<T *>(states));
    }
    static cudaError_t add_norm(launch launch, batch batch, int hidden, void *states, const void *delta, layer_norm norm)
    {
        return launch_kernel(add_norm_kernel<T, VECTORS>, dim3(blocks_for(launch.rows, WARPS)), WARPS * WARP, 0, launch.stream, batch, hidden,
                             static_cast<T *>(states), static_cast<const T *>(delta), norm);
    }
};

template <typename T> static int vectors_of_lane(int hidden)
{
    const int a_round = WARP * vector_of<T>::width;
    return hidden < HIDDEN_UNIT || hidden % HIDDEN_UNIT || hidden > HIDDEN_MOST ? 0 : (hidden + a_round - 1) / a_round;
}

#define WITH_VECTORS(T, call) \
    switch (vectors_of_lane<T>(hidden)) { \
    case 0: return cudaErrorInvalidValue; \
    case 1: return launcher<T, 1>::call; \
    case 2: return launcher<T, 2>::call; \
    case 3: return launcher<T, 3>::call; \
    case 4: return launcher<T, 4>::call; \
    case 5: \
    case 6: return launcher<T, 6>::call; \
    case 7: \
    case 8: return launcher<T, 8>::call; \
    default: return launcher<T, HIDDEN_MOST / (WARP * vector_of<T>::width)>::call; \
    }

#define WITH_ELEMENT(call) \
    switch (element) { \
    case ELEMENT_F32: WITH_VECTORS(float, call) \
    case ELEMENT_F16: WITH_VECTORS(__half, call) \
    case ELEMENT_BF16: WITH_VECTORS(__nv_bfloat16, call) \
    } \
    return cudaErrorInvalidValue;

cudaError_t cuda_embed(enum element element, struct launch launch, struct batch batch, int hidden, struct embedding_tables tables, struct layer_norm norm, void *states)
{
    WITH_ELEMENT(embed(launch, batch, hidden, tables, norm, states))
}

cudaError_t cuda_add_norm(enum element element, struct launch launch, struct batch batch, int hidden, void *states, const void *delta, struct layer_norm norm)
{
    WITH_ELEMENT(add_norm(launch, batch, hidden, states, delta, norm))
}
