#include "encoder.h"

#include "check.h"

/* context = attention(states); states = norm(states + output(context)). */
static int run_attention(const struct forward *forward, size_t layer, struct launch launch, struct batch batch, struct reason *why)
{
    const struct layer_products *product = &forward->product[layer];
    const size_t row = (size_t)forward->hidden * element_size(forward->element);
    void *qkv = forward->wide, *context = (char *)forward->wide + 3 * row * (size_t)forward->rows;
    const struct attention_shape shape = {.heads = forward->heads, .head_size = forward->hidden / forward->heads, .distance_bias = forward->weights.distance_bias,
                                          .longest = forward->longest, .tensor_cores = forward->tensor_cores};
    TRY(matmul_run(&forward->products, &product->qkv, launch.rows, forward->states, qkv, launch.stream, why));
    TRY_CUDA(cuda_attention(forward->element, launch, batch, shape, qkv, context), "attention");
    TRY(matmul_run(&forward->products, &product->output, launch.rows, context, forward->delta, launch.stream, why));
    TRY_CUDA(cuda_add_norm(forward->element, launch, batch, forward->hidden, forward->states, forward->delta, forward->weights.layer[layer].attention_norm),
             "the norm behind attention");
    return 0;
}

/* states = norm(states + down(gelu(up(states)))). */
static int run_feed_forward(const struct forward *forward, size_t layer, struct launch launch, struct batch batch, struct reason *why)
{
    const struct layer_products *product = &forward->product[layer];
    TRY(matmul_run(&forward->products, &product->up, launch.rows, forward->states, forward->wide, launch.stream, why));
    if (forward->element == ELEMENT_F32) /* else the product has ended with it (matmul.h) */
        TRY_CUDA(cuda_gelu(forward->element, launch, batch, forward->intermediate, forward->wide), "GELU");
    TRY(matmul_run(&forward->products, &product->down, launch.rows, forward->wide, forward->delta, launch.stream, why));
    TRY_CUDA(cuda_add_norm(forward->element, launch, batch, forward->hidden, forward->states, forward->delta, forward->weights.layer[layer].output_norm),
             "the norm behind the feed-forward layers");
    return 0;
}

static int run_head(const struct forward *forward, struct launch launch, struct batch batch, struct embeddings to, struct reason *why)
{
    TRY_CUDA(cuda_pool(forward->element, launch, batch, forward->hidden, forward->states, forward->poolings, to.pooled), "pooling");
    for (size_t i = 0; i < forward->dense_layers; i++)
        TRY_CUDA(cuda_dense(launch, batch, forward->weights.dense[i], i % 2 ? to.other : to.pooled, i % 2 ? to.pooled : to.other), "the dense head");
    if (forward->normalize)
        TRY_CUDA(cuda_normalize(launch, batch, (int)forward_width(forward), forward->normalize, forward_result(forward, to)), "normalization");
    return 0;
}

int forward_run(const struct forward *forward, const struct packing *packing, const void *image, struct embeddings to, cudaStream_t stream, struct reason *why)
{
    const struct batch batch = packing_parts(packing, image);
    const struct launch launch = {.rows = packing->rows_class, .texts = packing->tiles_class, .tiles = packing->tiles_class, .stream = stream};
    TRY_CUDA(cuda_embed(forward->element, launch, batch, forward->hidden, forward->weights.tables, forward->weights.embedding_norm, forward->states), "embeddings");
    for (size_t layer = 0; layer < (size_t)forward->layers; layer++) {
        TRY(run_attention(forward, layer, launch, batch, why));
        TRY(run_feed_forward(forward, layer, launch, batch, why));
    }
    return run_head(forward, launch, batch, to, why);
}

float *forward_result(const struct forward *forward, struct embeddings to)
{
    return forward->dense_layers % 2 ? to.other : to.pooled;
}

size_t forward_width(const struct forward *forward)
{
    return forward->dense_layers ? (size_t)forward->weights.dense[forward->dense_layers - 1].outputs : (size_t)forward->poolings.count * (size_t)forward->hidden;
}

size_t forward_widest(const struct forward *forward)
{
    size_t widest = (size_t)forward->poolings.count * (size_t)forward->hidden;
    for (size_t i = 0; i < forward->dense_layers; i++)
        if ((size_t)forward->weights.dense[i].outputs > widest)
            widest = (size_t)forward->weights.dense[i].outputs;
    return widest;
}
