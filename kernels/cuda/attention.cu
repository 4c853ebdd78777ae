/* Attention by multiply-adds in f32: the way of f32, whose last digits tensor cores do not keep, and of devices before sm_80. As on tensor cores, an online
 * softmax over tiles of keys; a block takes half a tile of queries of one text and head. */
#include "attention.h"

enum {
    QUERIES = 32, /* of a block */
    KEYS = 32,    /* at a time */
    LANES = 8,    /* threads that share two queries; they are neighbours in a warp */
    ROWS = 2,     /* queries of a thread */
    COLUMNS = KEYS / LANES,
    THREADS = QUERIES / ROWS * LANES,
    PAD = 4,      /* floats that a row in shared memory is longer, so that eight rows lie in different banks */
};
static_assert(TILE_QUERIES % QUERIES == 0, "a tile of queries is shared by whole blocks");

/* Rows of a text into a tile [32, D] of floats; those behind the text's end become zero. */
template <typename T, int D> static __device__ void copy_rows(float *tile, const T *rows, size_t stride, int count)
{
    const int length = vector_of<T>::width, row_vectors = D / length;
    for (int i = static_cast<int>(threadIdx.x); i < KEYS * row_vectors; i += THREADS) {
        const int row = i / row_vectors, column = i % row_vectors * length;
        float values[length] = {};
        if (row < count)
            load_vector(rows + static_cast<size_t>(row) * stride + column, values);
#pragma unroll
        for (int j = 0; j < length; j += 4)
            store_vector(tile + row * (D + PAD) + column + j, values + j);
    }
}

/* The largest, or the sum, over the eight threads that share a query. */
static __device__ inline float largest_of_lanes(float x)
{
#pragma unroll
    for (int step = LANES / 2; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(WHOLE_WARP, x, step));
    return x;
}

static __device__ inline float sum_of_lanes(float x)
{
#pragma unroll
    for (int step = LANES / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(WHOLE_WARP, x, step);
    return x;
}

/* scores [2, 4] of this thread: its queries by the keys lane, lane + 8, … */
template <int D> static __device__ void multiply_keys(const float *queries, const float *keys, float scores[ROWS][COLUMNS])
{
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            scores[r][c] = 0;
#pragma unroll 4
    for (int k = 0; k < D; k += 4) {
        float q[ROWS][4], x[COLUMNS][4];
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            load_vector(queries + r * (D + PAD) + k, q[r]);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            load_vector(keys + c * LANES * (D + PAD) + k, x[c]);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int c = 0; c < COLUMNS; c++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    scores[r][c] += q[r][i] * x[c][i];
    }
}

template <typename T, int D>
static __global__ void __launch_bounds__(THREADS) attention_kernel(batch batch, attention_shape shape, float scale, const T *qkv, T *context)
{
    block_place place;
    if (!place_of_block(batch, shape, &place))
        return;
    const tile tile = place.tile;
    const int first = tile.query + static_cast<int>(blockIdx.z) * QUERIES;
    if (first >= tile.tokens)
        return;
    const int head = place.head, lane = static_cast<int>(threadIdx.x) % LANES, row = static_cast<int>(threadIdx.x) / LANES * ROWS;
    const size_t width = static_cast<size_t>(shape.heads) * D, stride = 3 * width;
    const T *text = qkv + static_cast<size_t>(tile.first) * stride + head * D;
    const float *distance_bias = head_bias(shape, head);
    float *queries = reinterpret_cast<float *>(shared_memory()), *keys = queries + QUERIES * (D + PAD), *values = keys + KEYS * (D + PAD);
    float *shares = values + KEYS * (D + PAD); /* [QUERIES, KEYS + PAD]: exponentials, for the eight threads that share a query */
    float sums[ROWS][D / LANES] = {}, largest[ROWS], exponentials[ROWS] = {}; /* column i of this thread: i / 4 * 32 + lane * 4 + i % 4 */
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        largest[r] = -INFINITY;

    copy_rows<T, D>(queries, text + static_cast<size_t>(first) * stride, stride, tile.tokens - first);
    for (int key = 0; key < tile.tokens; key += KEYS) {
        const T *rows = text + static_cast<size_t>(key) * stride;
        __syncthreads(); /* the tiles before have been read by all */
        copy_rows<T, D>(keys, rows + width, stride, tile.tokens - key);
        copy_rows<T, D>(values, rows + 2 * width, stride, tile.tokens - key);
        __syncthreads();
        float scores[ROWS][COLUMNS];
        multiply_keys<D>(queries + row * (D + PAD), keys + lane * (D + PAD), scores);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float most = largest[r], sum = 0;
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int query = first + row + r, column = key + lane + c * LANES;
                float score = scores[r][c] * scale;
                if (distance_bias && query < tile.tokens && column < tile.tokens)
                    score += distance_bias[column - query] * LOG2_E;
                scores[r][c] = column < tile.tokens ? score : -INFINITY;
                most = fmaxf(most, scores[r][c]);
            }
            most = largest_of_lanes(most);
            const float factor = exp2f(largest[r] - most);
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const float share = exp2f(scores[r][c] - most);
                shares[(row + r) * (KEYS + PAD) + lane + c * LANES] = share;
                sum += share;
            }
            exponentials[r] = exponentials[r] * factor + sum_of_lanes(sum);
            largest[r] = most;
#pragma unroll
            for (int i = 0; i < D / LANES; i++)
                sums[r][i] *= factor;
        }
        __syncwarp();
#pragma unroll 4
        for (int k = 0; k < KEYS; k++)
#pragma unroll
            for (int i = 0; i < D / LANES; i += 4) {
                float value[4];
                load_vector(values + k * (D + PAD) + i * LANES + lane * 4, value);
#pragma unroll
                for (int r = 0; r < ROWS; r++)
#pragma unroll
                    for (int j = 0; j < 4; j++)
                        sums[r][i + j] += shares[(row + r) * (KEYS + PAD) + k] * value[j];
            }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        if (first + row + r < tile.tokens) {
            T *to = context + static_cast<size_t>(tile.first + first + row + r) * width + head * D;
#pragma unroll
            for (int i = 0; i < D / LANES; i++)
                to[i / 4 * 4 * LANES + lane * 4 + i % 4] = from_float<T>(sums[r][i] / exponentials[r]);
        }
}

template <typename T, int D> static cudaError_t launch_head_size(launch launch, batch batch, attention_shape shape, const void *qkv, void *context)
{
    const size_t shared = (static_cast<size_t>(QUERIES + 2 * KEYS) * (D + PAD) + static_cast<size_t>(QUERIES) * (KEYS + PAD)) * sizeof(float);
    const unsigned blocks = attention_blocks(launch, shape);
    if (blocks == 0)
        return cudaErrorInvalidValue;
    return launch_kernel(attention_kernel<T, D>, dim3(blocks, 1, TILE_QUERIES / QUERIES), THREADS, shared, launch.stream, batch, shape,
                         LOG2_E / sqrtf(static_cast<float>(D)), static_cast<const T *>(qkv), static_cast<T *>(context));
}

template <typename T> static cudaError_t launch_element(launch launch, batch batch, attention_shape shape, const void *qkv, void *context)
{
    switch (shape.head_size) {
    case 32: return launch_head_size<T, 32>(launch, batch, shape, qkv, context);
    case 64: return launch_head_size<T, 64>(launch, batch, shape, qkv, context);
    case 96: return launch_head_size<T, 96>(launch, batch, shape, qkv, context);
    case 128: return launch_head_size<T, 128>(launch, batch, shape, qkv, context);
    default: return cudaErrorInvalidValue;
    }
}

int cuda_head_size_known(int head_size)
{
    return head_size == 32 || head_size == 64 || head_size == 96 || head_size == 128;
}

cudaError_t cuda_attention(enum element element, struct launch launch, struct batch batch, struct attention_shape shape, const void *qkv, void *context)
{
    if (shape.tensor_cores && element != ELEMENT_F32)
        return attention_on_tensor_cores(element, launch, batch, shape, qkv, context);
    switch (element) {
    case ELEMENT_F32: return launch_element<float>(launch, batch, shape, qkv, context);
    case ELEMENT_F16: return launch_element<__half>(launch, batch, shape, qkv, context);
    case ELEMENT_BF16: return launch_element<__nv_bfloat16>(launch, batch, shape, qkv, context);
    }
    return cudaErrorInvalidValue;
}
