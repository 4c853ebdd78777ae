/* What the two kernels of attention share. CUDA C++. */
#ifndef REPRISE_CUDA_ATTENTION_H
#define REPRISE_CUDA_ATTENTION_H

#include "device.h"

#define LOG2_E 1.44269504f

/* A head's bias by distance, so that [key - query] is an element; NULL: none. */
__device__ inline const float *head_bias(attention_shape shape, int head)
{
    return shape.distance_bias ? shape.distance_bias + static_cast<size_t>(head) * static_cast<size_t>(2 * shape.longest - 1) + (shape.longest - 1) : nullptr;
}

/* What a block works on; false: nothing. Neighbouring blocks take the heads of one tile, which lie side by side in memory, so that its rows are read and written whole; and the
 * last tiles come first, as of a large batch's queries, keys and values only those that were written last are still in the cache. */
struct block_place { struct tile tile; int head; };

__device__ inline bool place_of_block(batch batch, attention_shape shape, block_place *place)
{
    const int block = static_cast<int>(blockIdx.x), left = batch.counts[BATCH_TILES] - 1 - block / shape.heads;
    if (left < 0)
        return false;
    place->tile = batch.tiles[left];
    place->head = block % shape.heads;
    return true;
}

/* Blocks for all tiles and heads; 0: more than a grid has. */
inline unsigned attention_blocks(launch launch, attention_shape shape)
{
    const size_t blocks = static_cast<size_t>(blocks_for(launch.tiles, 1)) * static_cast<size_t>(shape.heads);
    return blocks > 0x7fffffffu ? 0u : static_cast<unsigned>(blocks);
}

cudaError_t attention_on_tensor_cores(enum element element, struct launch launch, struct batch batch, struct attention_shape shape, const void *qkv, void *context);

#endif
