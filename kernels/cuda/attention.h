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

cudaError_t attention_on_tensor_cores(enum element element, struct launch launch, struct batch batch, struct attention_shape shape, const void *qkv, void *context);

#endif
