/* Attention on tensor cores, for 16-bit elements, in the manner of FlashAttention (Dao et al. 2022, arXiv 2205.14135; Dao 2023, arXiv 2307.08691): a block takes 64
 * queries of one text and head, 16 a warp, and goes over the keys 64 at a time with an online softmax in f32, so no scores are ever stored. While it
 * computes with one tile of keys, the values are on their way, and the other way round. */
#include "attention.h"
#include "tensor_core.h"

enum {
    WARPS = 4,
    THREADS = WARPS * WARP,
    KEYS = 64,              /* at a time */
    WARP_QUERIES = 16,
    CHUNK = 8,              /* elements in 16 bytes */
    PAD = 8,                /* elements that a row in shared memory is longer, so that the rows of a matrix lie in different banks */
};
static_assert(WARPS * WARP_QUERIES == TILE_QUERIES, "a tile of queries is a block's");

/* Rows of a text into a tile [64, D]; those behind the text's end become zero. */
template <typename T, int D> static __device__ void copy_rows(T *tile, const T *rows, size_t stride, int count)
{
    const int row_chunks = D / CHUNK;
#pragma unroll
    for (int i = 0; i < KEYS * row_chunks / THREADS; i++) {
        const int chunk = i * THREADS + static_cast<int>(threadIdx.x), row = chunk / row_chunks, column = chunk % row_chunks * CHUNK;
        const bool is_there = row < count;
        copy_begin(tile + row * (D + PAD) + column, is_there ? rows + static_cast<size_t>(row) * stride + column : rows, is_there);
    }
    copies_end();
}

/* The state of a warp's 16 queries: this lane has rows g and g + 8 of each (tensor_core.h). */
template <typename T, int D> struct queries {
    uint32_t operand[D / 16][4];
    float sums[D / 8][4];  /* of values, each weighted by its exponential */
    float largest[2];      /* score so far */
    float exponentials[2]; /* their sum, over this lane's columns */

    __device__ void begin(const T *tile)
    {
        const int lane = static_cast<int>(threadIdx.x) % WARP;
#pragma unroll
        for (int k = 0; k < D / 16; k++)
            load_matrices(operand[k], tile + lane % 16 * (D + PAD) + k * 16 + lane / 16 * 8);
#pragma unroll
        for (int i = 0; i < D / 8; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                sums[i][j] = 0;
        for (int r = 0; r < 2; r++) {
            largest[r] = -INFINITY;
            exponentials[r] = 0;
        }
    }

    /* scores [16, 64] = queries keys^T; columns from `count` on are left zero, 16 at a time. */
    __device__ void multiply_keys(const T *keys, int count, float scores[KEYS / 8][4]) const
    {
        const int lane = static_cast<int>(threadIdx.x) % WARP;
#pragma unroll
        for (int n = 0; n < KEYS / 16; n++) {
#pragma unroll
            for (int j = 0; j < 4; j++)
                scores[2 * n][j] = scores[2 * n + 1][j] = 0;
            if (n * 16 >= count)
                continue;
#pragma unroll
            for (int k = 0; k < D / 16; k++) {
                uint32_t b[4];
                load_matrices(b, keys + (n * 16 + lane % 8 + lane / 16 * 8) * (D + PAD) + k * 16 + lane / 8 % 2 * 8);
                multiply_add<T>(scores[2 * n], operand[k], b);
                multiply_add<T>(scores[2 * n + 1], operand[k], b + 2);
            }
        }
    }

    /* Turns scores, of which `scale` makes powers of two, into exponentials, and what was summed up before to the new largest score. Columns from `count` on are left
     * as they are, 16 at a time. */
    __device__ void soften(float scores[KEYS / 8][4], int count, float scale)
    {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float most = largest[r];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
                if (n / 2 * 16 < count)
                    most = fmaxf(most, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
            most = fmaxf(most, __shfl_xor_sync(WHOLE_WARP, most, 1));
            most = fmaxf(most, __shfl_xor_sync(WHOLE_WARP, most, 2));
            const float factor = fast_power_of_two((largest[r] - most) * scale), most_power = most * scale;
            float sum = 0;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++) {
                if (n / 2 * 16 >= count)
                    continue;
#pragma unroll
                for (int j = 2 * r; j < 2 * r + 2; j++) {
                    scores[n][j] = fast_power_of_two(fmaf(scores[n][j], scale, -most_power));
                    sum += scores[n][j];
                }
            }
            largest[r] = most;
            exponentials[r] = exponentials[r] * factor + sum;
#pragma unroll
            for (int i = 0; i < D / 8; i++) {
                sums[i][2 * r] *= factor;
                sums[i][2 * r + 1] *= factor;
            }
        }
    }

    /* sums [16, D] += exponentials values. A product's result lies in the registers as the next one's operand wants it. */
    __device__ void add_values(const T *values, int count, const float scores[KEYS / 8][4])
    {
        const int lane = static_cast<int>(threadIdx.x) % WARP;
#pragma unroll
        for (int k = 0; k < KEYS / 16; k++) {
            if (k * 16 >= count)
                continue;
            const uint32_t a[4] = {pack_pair<T>(scores[2 * k][0], scores[2 * k][1]), pack_pair<T>(scores[2 * k][2], scores[2 * k][3]),
                                   pack_pair<T>(scores[2 * k + 1][0], scores[2 * k + 1][1]), pack_pair<T>(scores[2 * k + 1][2], scores[2 * k + 1][3])};
#pragma unroll
            for (int n = 0; n < D / 16; n++) {
                uint32_t b[4];
                load_matrices_transposed(b, values + (k * 16 + lane % 16) * (D + PAD) + n * 16 + lane / 16 * 8);
                multiply_add<T>(sums[2 * n], a, b);
                multiply_add<T>(sums[2 * n + 1], a, b + 2);
            }
        }
    }

    /* Rows of the context; `rows` of the warp's 16 are there. */
    __device__ void store(T *context, size_t stride, int rows) const
    {
        const int lane = static_cast<int>(threadIdx.x) % WARP;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float total = exponentials[r];
            total += __shfl_xor_sync(WHOLE_WARP, total, 1);
            total += __shfl_xor_sync(WHOLE_WARP, total, 2);
            const float share = 1 / total;
            const int row = lane / 4 + 8 * r;
            if (row >= rows)
                continue;
#pragma unroll
            for (int i = 0; i < D / 8; i++) {
                const uint32_t pair = pack_pair<T>(sums[i][2 * r] * share, sums[i][2 * r + 1] * share);
                *reinterpret_cast<uint32_t *>(context + static_cast<size_t>(row) * stride + i * 8 + lane % 4 * 2) = pair;
            }
        }
    }
};

/* Adds the bias by distance, and hides what lies behind the text's end. `query`, `key`: of the first row and column. In most tiles there is nothing to do. */
static __device__ inline void finish_scores(float scores[KEYS / 8][4], float scale, const float *distance_bias, int query, int key, int tokens)
{
    const int lane = static_cast<int>(threadIdx.x) % WARP;
    if (!distance_bias && key + KEYS <= tokens)
        return;
    const float bias_scale = LOG2_E / scale; /* the bias is added to scores that are scaled later */
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int row = query + lane / 4 + j / 2 * 8, column = key + n * 8 + lane % 4 * 2 + j % 2;
            if (distance_bias && row < tokens && column < tokens)
                scores[n][j] += distance_bias[column - row] * bias_scale;
            if (column >= tokens)
                scores[n][j] = -INFINITY;
        }
}

template <typename T, int D>
static __global__ void __launch_bounds__(THREADS) attention_kernel(batch batch, attention_shape shape, float scale, const T *qkv, T *context)
{
    block_place place;
    if (!place_of_block(batch, shape, &place))
        return;
    const tile tile = place.tile;
    const int head = place.head, warp = static_cast<int>(threadIdx.x) / WARP, query = tile.query + warp * WARP_QUERIES;
    const size_t width = static_cast<size_t>(shape.heads) * D, stride = 3 * width;
    const T *text = qkv + static_cast<size_t>(tile.first) * stride + head * D;
    const float *distance_bias = head_bias(shape, head);
    T *query_tile = reinterpret_cast<T *>(shared_memory()), *keys = query_tile + TILE_QUERIES * (D + PAD), *values = keys + KEYS * (D + PAD);
    const bool busy = query < tile.tokens; /* or this warp has no query, and only helps to copy */

    copy_rows<T, D>(query_tile, text + static_cast<size_t>(tile.query) * stride, stride, tile.tokens - tile.query);
    copy_rows<T, D>(keys, text + width, stride, tile.tokens);
    copy_rows<T, D>(values, text + 2 * width, stride, tile.tokens);
    queries<T, D> queries;
    for (int key = 0; key < tile.tokens; key += KEYS) {
        const int left = tile.tokens - key;
        const T *next = text + static_cast<size_t>(key + KEYS) * stride;
        float scores[KEYS / 8][4];
        copies_arrived<1>(); /* the keys; the values may be on their way */
        __syncthreads();
        if (busy) {
            if (key == 0)
                queries.begin(query_tile + warp * WARP_QUERIES * (D + PAD));
            queries.multiply_keys(keys, left, scores);
        }
        __syncthreads(); /* the keys have been read by all */
        if (left > KEYS)
            copy_rows<T, D>(keys, next + width, stride, left - KEYS);
        else
            copies_end(); /* an empty group, so that the count of those on their way stays */
        if (busy) {
            finish_scores(scores, scale, distance_bias, query, key, tile.tokens);
            queries.soften(scores, left, scale);
        }
        copies_arrived<1>(); /* the values; the next keys may be on their way */
        __syncthreads();
        if (busy)
            queries.add_values(values, left, scores);
        __syncthreads();
        if (left > KEYS)
            copy_rows<T, D>(values, next + 2 * width, stride, left - KEYS);
        else
            copies_end();
    }
    if (busy)
        queries.store(context + static_cast<size_t>(tile.first + query) * width + head * D, width, tile.tokens - query);
}

template <typename T, int D> static cudaError_t launch_head_size(launch launch, batch batch, attention_shape shape, const void *qkv, void *context)
{
    const size_t shared = static_cast<size_t>(TILE_QUERIES + 2 * KEYS) * (D + PAD) * sizeof(T);
    const unsigned blocks = attention_blocks(launch, shape);
    if (blocks == 0)
        return cudaErrorInvalidValue;
    return launch_kernel(attention_kernel<T, D>, dim3(blocks), THREADS, shared, launch.stream, batch, shape,
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

cudaError_t attention_on_tensor_cores(enum element element, struct launch launch, struct batch batch, struct attention_shape shape, const void *qkv, void *context)
{
    switch (element) {
    case ELEMENT_F16: return launch_element<__half>(launch, batch, shape, qkv, context);
    case ELEMENT_BF16: return launch_element<__nv_bfloat16>(launch, batch, shape, qkv, context);
    default: return cudaErrorInvalidValue;
    }
}
