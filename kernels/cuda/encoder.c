/* Batches under way on a device: each slot has the buffers of one batch, pinned on the host, so that copying one batch in, computing the next and copying a
 * third out go on side by side, on a stream each. The forward pass of a class of sizes is captured once per slot and replayed as a graph. */
#include "encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { GRAPHS = 24, ROWS_FIRST = 256 }; /* kept per slot; the least room for rows */

struct kept_graph { int rows_class, tiles_class, uses; cudaGraphExec_t exec; };

struct slot {
    int busy;
    struct packing packing;
    size_t image_room, text_room;         /* bytes, texts */
    void *image_host, *image;             /* what the batch is (packing.h) */
    float *embeddings_host;               /* [text_room, width] */
    struct embeddings embeddings;         /* [text_room, widest] each */
    cudaEvent_t arrived, begun, computed, ready; /* the image on the device; its forward pass begins; the embeddings there; the embeddings on the host */
    struct kept_graph graph[GRAPHS];
    int graphs, next_graph;
};

struct cuda_encoder {
    struct forward forward;
    struct table_sizes tables;
    size_t dimension;
    int graphs;
    size_t replays; /* of graphs */
    double busy;    /* milliseconds */
    cudaStream_t in, compute, out;
    struct slot slot[CUDA_SLOTS];
};

/* ---- memory ---- */

static void drop_graphs(struct slot *slot)
{
    for (int i = 0; i < slot->graphs; i++)
        if (slot->graph[i].exec)
            (void)cudaGraphExecDestroy(slot->graph[i].exec);
    memset(slot->graph, 0, sizeof slot->graph); /* or find_graph would destroy them again */
    slot->graphs = slot->next_graph = 0;
}

static void free_activations(struct cuda_encoder *encoder)
{
    for (int i = 0; i < CUDA_SLOTS; i++)
        drop_graphs(&encoder->slot[i]); /* they know the addresses */
    if (encoder->forward.memory)
        (void)cudaFree(encoder->forward.memory);
    encoder->forward.memory = encoder->forward.states = encoder->forward.wide = encoder->forward.delta = NULL;
    encoder->forward.rows = 0;
}

/* Room for a class of rows. What is under way is done first. */
static int reserve_rows(struct cuda_encoder *encoder, int rows, struct reason *why)
{
    struct forward *forward = &encoder->forward;
    if (rows <= forward->rows)
        return 0;
    TRY_CUDA(cudaStreamSynchronize(encoder->compute), "waiting for earlier batches");
    free_activations(encoder);
    const size_t hidden = (size_t)forward->hidden, wide = (size_t)forward->intermediate > 4 * hidden ? (size_t)forward->intermediate : 4 * hidden;
    const size_t column = (size_t)rows * element_size(forward->element), bytes = column * (2 * hidden + wide);
    TRY_CUDA(cudaMalloc(&forward->memory, bytes), "memory for activations");
    forward->states = forward->memory;
    forward->delta = (char *)forward->memory + column * hidden;
    forward->wide = (char *)forward->memory + column * 2 * hidden;
    forward->rows = rows;
    /* Rows behind a batch's end go through the matrix products too; what they hold is never used, but it should be something. */
    TRY_CUDA(cudaMemsetAsync(forward->memory, 0, bytes, encoder->compute), "clearing activations");
    return 0;
}

static void free_slot(struct slot *slot)
{
    drop_graphs(slot);
    void *on_device[] = {slot->image, slot->embeddings.pooled, slot->embeddings.other}, *on_host[] = {slot->image_host, slot->embeddings_host};
    for (size_t i = 0; i < sizeof on_device / sizeof *on_device; i++)
        if (on_device[i])
            (void)cudaFree(on_device[i]);
    for (size_t i = 0; i < sizeof on_host / sizeof *on_host; i++)
        if (on_host[i])
            (void)cudaFreeHost(on_host[i]);
    slot->image = slot->image_host = slot->embeddings_host = slot->embeddings.pooled = slot->embeddings.other = NULL;
    slot->image_room = slot->text_room = 0;
}

static int reserve_slot(const struct cuda_encoder *encoder, struct slot *slot, const struct packing *packing, struct reason *why)
{
    const size_t texts = (size_t)packing->tiles_class, image = packing_bytes(packing), row = forward_widest(&encoder->forward) * sizeof(float);
    if (texts <= slot->text_room && image <= slot->image_room)
        return 0;
    const size_t text_room = texts > slot->text_room ? texts : slot->text_room, image_room = image > slot->image_room ? image : slot->image_room;
    free_slot(slot);
    TRY_CUDA(cudaMalloc(&slot->image, image_room), "memory for a batch");
    TRY_CUDA(cudaMalloc((void **)&slot->embeddings.pooled, text_room * row), "memory for embeddings");
    if (encoder->forward.dense_layers)
        TRY_CUDA(cudaMalloc((void **)&slot->embeddings.other, text_room * row), "memory for embeddings");
    TRY_CUDA(cudaMallocHost(&slot->image_host, image_room), "pinned memory for a batch");
    TRY_CUDA(cudaMallocHost((void **)&slot->embeddings_host, text_room * forward_width(&encoder->forward) * sizeof(float)), "pinned memory for embeddings");
    slot->image_room = image_room;
    slot->text_room = text_room;
    return 0;
}

/* Room for the slot's batch. Without memory for it, nothing half-made stays. */
static int reserve(struct cuda_encoder *encoder, struct slot *slot, struct reason *why)
{
    const int least = slot->packing.rows_class > ROWS_FIRST ? slot->packing.rows_class : ROWS_FIRST;
    int result = reserve_rows(encoder, least, why);
    if (result == 0 && (result = reserve_slot(encoder, slot, &slot->packing, why)) != 0)
        free_slot(slot);
    return result;
}

/* ---- the algorithms of the matrix products ---- */

static int open_products(struct cuda_encoder *encoder, int rows, struct reason *why)
{
    struct forward *forward = &encoder->forward;
    const int hidden = forward->hidden, wide = forward->intermediate;
    const enum matmul_then then = forward->element == ELEMENT_F32 ? MATMUL_BIAS : MATMUL_BIAS_GELU;
    TRY(matmul_context_open(&forward->products, forward->element, why));
    if (!(forward->product = calloc((size_t)forward->layers, sizeof *forward->product)))
        return explain(why, "out of memory");
    for (int i = 0; i < forward->layers; i++) {
        const struct device_layer *layer = &forward->weights.layer[i];
        struct layer_products *product = &forward->product[i];
        TRY(matmul_open(&forward->products, &product->qkv, hidden, 3 * hidden, layer->qkv.weights, layer->qkv.bias, MATMUL_BIAS, rows, why));
        TRY(matmul_open(&forward->products, &product->output, hidden, hidden, layer->output.weights, layer->output.bias, MATMUL_BIAS, rows, why));
        TRY(matmul_open(&forward->products, &product->up, hidden, wide, layer->up.weights, layer->up.bias, then, rows, why));
        TRY(matmul_open(&forward->products, &product->down, wide, hidden, layer->down.weights, layer->down.bias, MATMUL_BIAS, rows, why));
    }
    return 0;
}

static void close_products(struct forward *forward)
{
    for (int i = 0; forward->product && i < forward->layers; i++) {
        struct matmul *all[] = {&forward->product[i].qkv, &forward->product[i].output, &forward->product[i].up, &forward->product[i].down};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            matmul_close(all[j]);
    }
    free(forward->product);
    matmul_context_close(&forward->products);
}

/* ---- opening ---- */

static int check_model(const struct cuda_model *model, struct reason *why)
{
    if (model->heads == 0 || model->hidden % model->heads || !cuda_head_size_known((int)(model->hidden / model->heads)))
        return explain(why, "the GPU's attention knows heads of 32, 64, 96 and 128; this model has %zu in %zu", model->hidden, model->heads);
    if (model->hidden > HIDDEN_MOST || model->intermediate % HIDDEN_UNIT || model->intermediate > 16 * HIDDEN_MOST || model->vocabulary > INT32_MAX ||
        model->max_tokens < 1 || model->max_tokens > 1 << 20 || model->layers < 1 || model->layers > 1024)
        return explain(why, "a size of this model is beyond the GPU's kernels");
    const size_t width = model->dense_layers ? model->dense[model->dense_layers - 1].outputs : model->poolings * model->hidden;
    if (model->poolings < 1 || model->poolings > CUDA_POOL_MODES || model->dimension < 1 || model->dimension > width || model->normalize > width)
        return explain(why, "embeddings of %zu numbers from %zu poolings", model->dimension, model->poolings);
    return 0;
}

static void set_sizes(struct forward *forward, const struct cuda_model *model, const struct cuda_settings *settings)
{
    static const enum element elements[] = {[CUDA_PRECISION_F32] = ELEMENT_F32, [CUDA_PRECISION_F16] = ELEMENT_F16, [CUDA_PRECISION_BF16] = ELEMENT_BF16};
    static const enum pool_mode modes[] = {[CUDA_POOL_CLS] = POOL_CLS, [CUDA_POOL_MAX] = POOL_MAX, [CUDA_POOL_MEAN] = POOL_MEAN,
                                           [CUDA_POOL_MEAN_SQRT_LEN] = POOL_MEAN_SQRT_LEN, [CUDA_POOL_WEIGHTED_MEAN] = POOL_WEIGHTED_MEAN,
                                           [CUDA_POOL_LAST_TOKEN] = POOL_LAST_TOKEN};
    forward->element = elements[settings->precision];
    forward->hidden = (int)model->hidden;
    forward->heads = (int)model->heads;
    forward->intermediate = (int)model->intermediate;
    forward->layers = (int)model->layers;
    forward->longest = (int)model->max_tokens;
    forward->dense_layers = model->dense_layers;
    forward->normalize = (int)model->normalize;
    forward->poolings.skipped = (int)model->skipped;
    forward->poolings.count = (int)model->poolings;
    for (size_t i = 0; i < model->poolings; i++)
        forward->poolings.mode[i] = (int)modes[model->pooling[i]];
}

static int create_slot(struct slot *slot, struct reason *why)
{
    TRY_CUDA(cudaEventCreateWithFlags(&slot->arrived, cudaEventDisableTiming), "making an event");
    TRY_CUDA(cudaEventCreateWithFlags(&slot->begun, cudaEventDefault), "making an event");
    TRY_CUDA(cudaEventCreateWithFlags(&slot->computed, cudaEventDefault), "making an event");
    TRY_CUDA(cudaEventCreateWithFlags(&slot->ready, cudaEventDisableTiming | cudaEventBlockingSync), "making an event");
    return 0;
}

/* Rows for which the algorithms of the products are chosen: about what a batch has. Of the model alone, so that the choice is always the same. */
static int product_rows(const struct cuda_model *model)
{
    enum { TEXTS = 32, LEAST = 8192, MOST = 16384 };
    const size_t rows = TEXTS * model->max_tokens;
    return rows < LEAST ? LEAST : rows < MOST ? size_class((int)rows) : MOST;
}

static int start(struct cuda_encoder *encoder, const struct cuda_model *model, const struct cuda_settings *settings, struct reason *why)
{
    struct cudaDeviceProp properties;
    int code;
    TRY(check_model(model, why));
    TRY_CUDA(cudaSetDevice(settings->device), "taking the device");
    TRY_CUDA(cudaGetDeviceProperties(&properties, settings->device), "asking for the device's properties");
    set_sizes(&encoder->forward, model, settings);
    TRY_CUDA(cuda_code_for(10 * properties.major + properties.minor, &code), "looking for kernels for this device");
    encoder->forward.tensor_cores = code >= 80;
    if (settings->precision == CUDA_PRECISION_BF16 && properties.major < 8)
        return explain(why, "%s computes no bf16; f16 and f32 are what it has", properties.name);
    encoder->tables = (struct table_sizes){model->vocabulary, model->positions};
    encoder->dimension = model->dimension;
    encoder->graphs = settings->graphs;
    cudaStream_t *streams[] = {&encoder->in, &encoder->compute, &encoder->out};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        TRY_CUDA(cudaStreamCreateWithFlags(streams[i], cudaStreamNonBlocking), "making a stream");
    for (int i = 0; i < CUDA_SLOTS; i++)
        TRY(create_slot(&encoder->slot[i], why));
    TRY(weights_upload(&encoder->forward.weights, model, encoder->forward.element, encoder->compute, why));
    return open_products(encoder, product_rows(model), why);
}

static void destroy_slot(struct slot *slot)
{
    cudaEvent_t events[] = {slot->arrived, slot->begun, slot->computed, slot->ready};
    free_slot(slot);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            (void)cudaEventDestroy(events[i]);
}

static void wait_for_all(const struct cuda_encoder *encoder)
{
    const cudaStream_t streams[] = {encoder->in, encoder->compute, encoder->out};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (streams[i])
            (void)cudaStreamSynchronize(streams[i]);
}

static void encoder_close(struct cuda_encoder *encoder)
{
    if (!encoder)
        return;
    const cudaStream_t streams[] = {encoder->in, encoder->compute, encoder->out};
    wait_for_all(encoder);
    for (int i = 0; i < CUDA_SLOTS; i++)
        destroy_slot(&encoder->slot[i]);
    free_activations(encoder);
    close_products(&encoder->forward);
    weights_free(&encoder->forward.weights);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (streams[i])
            (void)cudaStreamDestroy(streams[i]);
    free(encoder);
}

static struct cuda_encoder *encoder_open(const struct cuda_model *model, const struct cuda_settings *settings, struct reason *why)
{
    struct cuda_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) {
        explain(why, "out of memory");
        return NULL;
    }
    if (start(encoder, model, settings, why) == 0)
        return encoder;
    encoder_close(encoder);
    return NULL;
}

/* ---- batches ---- */

static struct kept_graph *find_graph(struct slot *slot)
{
    for (int i = 0; i < slot->graphs; i++)
        if (slot->graph[i].rows_class == slot->packing.rows_class && slot->graph[i].tiles_class == slot->packing.tiles_class)
            return &slot->graph[i];
    struct kept_graph *graph = &slot->graph[slot->graphs < GRAPHS ? slot->graphs++ : slot->next_graph++ % GRAPHS];
    if (graph->exec)
        (void)cudaGraphExecDestroy(graph->exec);
    *graph = (struct kept_graph){.rows_class = slot->packing.rows_class, .tiles_class = slot->packing.tiles_class};
    return graph;
}

static int run_forward(struct cuda_encoder *encoder, const struct slot *slot, struct reason *why)
{
    return forward_run(&encoder->forward, &slot->packing, slot->image, slot->embeddings, encoder->compute, why);
}

static int capture(struct cuda_encoder *encoder, const struct slot *slot, struct kept_graph *kept)
{
    struct reason *const why = NULL; /* it is done without */
    cudaGraph_t graph = NULL;
    TRY_CUDA(cudaStreamBeginCapture(encoder->compute, cudaStreamCaptureModeThreadLocal), "capturing a forward pass");
    int result = run_forward(encoder, slot, why);
    const int ended = check_cuda(cudaStreamEndCapture(encoder->compute, &graph), __FILE__, __LINE__, "capturing a forward pass", why);
    result = result ? result : ended;
    if (result == 0)
        result = check_cuda(cudaGraphInstantiateWithFlags(&kept->exec, graph, 0), __FILE__, __LINE__, "making a graph of a forward pass", why); /* so named in every CUDA */
    if (graph)
        (void)cudaGraphDestroy(graph);
    return result;
}

/* A class that is met for the first time runs as it is (and what the libraries load on first use is loaded); from the second time on it is a graph. Where none
 * can be made, passes go on running as they are, which takes a little longer. */
static int run_class(struct cuda_encoder *encoder, struct slot *slot, struct reason *why)
{
    if (!encoder->graphs)
        return run_forward(encoder, slot, why);
    struct kept_graph *graph = find_graph(slot);
    if (graph->uses++ == 0)
        return run_forward(encoder, slot, why);
    if (!graph->exec && capture(encoder, slot, graph) != 0) {
        encoder->graphs = 0;
        return run_forward(encoder, slot, why);
    }
    TRY_CUDA(cudaGraphLaunch(graph->exec, encoder->compute), "a forward pass");
    encoder->replays++;
    return 0;
}

static int submit(struct cuda_encoder *encoder, struct slot *slot, struct reason *why)
{
    TRY_CUDA(cudaMemcpyAsync(slot->image, slot->image_host, packing_bytes(&slot->packing), cudaMemcpyHostToDevice, encoder->in), "copying a batch to the device");
    TRY_CUDA(cudaEventRecord(slot->arrived, encoder->in), "copying a batch to the device");
    TRY_CUDA(cudaStreamWaitEvent(encoder->compute, slot->arrived, 0), "waiting for a batch");
    TRY_CUDA(cudaEventRecord(slot->begun, encoder->compute), "a forward pass");
    TRY(run_class(encoder, slot, why));
    TRY_CUDA(cudaEventRecord(slot->computed, encoder->compute), "a forward pass");
    TRY_CUDA(cudaStreamWaitEvent(encoder->out, slot->computed, 0), "waiting for embeddings");
    TRY_CUDA(cudaMemcpyAsync(slot->embeddings_host, forward_result(&encoder->forward, slot->embeddings),
                             (size_t)slot->packing.texts * forward_width(&encoder->forward) * sizeof(float), cudaMemcpyDeviceToHost, encoder->out),
             "copying embeddings from the device");
    TRY_CUDA(cudaEventRecord(slot->ready, encoder->out), "copying embeddings from the device");
    return 0;
}

static int encoder_begin(struct cuda_encoder *encoder, unsigned number, const struct cuda_texts *texts, struct reason *why)
{
    if (number >= CUDA_SLOTS || encoder->slot[number].busy)
        return explain(why, "%s:%d: slot %u is not free", __FILE__, __LINE__, number);
    struct slot *slot = &encoder->slot[number];
    TRY(packing_measure(&slot->packing, texts->offsets, texts->count, (size_t)encoder->forward.longest, why));
    TRY(reserve(encoder, slot, why));
    TRY(packing_write(&slot->packing, (struct packed_texts){texts->ids, texts->positions, texts->offsets}, encoder->tables, slot->image_host, why));
    const int result = submit(encoder, slot, why);
    if (result == 0)
        slot->busy = 1;
    else
        wait_for_all(encoder); /* or a smaller batch would be written over what is still read */
    return result;
}

static int encoder_finish(struct cuda_encoder *encoder, unsigned number, float *embeddings, struct reason *why)
{
    if (number >= CUDA_SLOTS || !encoder->slot[number].busy)
        return explain(why, "%s:%d: slot %u has no batch", __FILE__, __LINE__, number);
    struct slot *slot = &encoder->slot[number];
    float milliseconds;
    slot->busy = 0;
    TRY_CUDA(cudaEventSynchronize(slot->ready), "waiting for a batch of embeddings");
    TRY_CUDA(cudaEventElapsedTime(&milliseconds, slot->begun, slot->computed), "the time of a forward pass");
    encoder->busy += (double)milliseconds;
    const size_t width = forward_width(&encoder->forward);
    for (size_t i = 0; i < (size_t)slot->packing.texts; i++)
        memcpy(embeddings + i * encoder->dimension, slot->embeddings_host + i * width, encoder->dimension * sizeof *embeddings);
    return 0;
}

static double encoder_busy(const struct cuda_encoder *encoder)
{
    return encoder->busy * 1e-3;
}

static size_t encoder_replays(const struct cuda_encoder *encoder)
{
    return encoder->replays;
}

/* ---- devices ---- */

static int facts_of(int device, struct cuda_device_facts *facts, struct reason *why)
{
    struct cudaDeviceProp properties;
    TRY_CUDA(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
    *facts = (struct cuda_device_facts){.major = properties.major, .minor = properties.minor, .multiprocessors = properties.multiProcessorCount,
                                        .memory = properties.totalGlobalMem};
    snprintf(facts->name, sizeof facts->name, "%.*s", (int)sizeof facts->name - 1, properties.name);
    return 0;
}

static int usable_devices(struct reason *why)
{
    int count = 0;
    if (check_cuda(cudaGetDeviceCount(&count), __FILE__, __LINE__, "looking for devices", why) != 0)
        return 0;
    for (int i = 0; i < count; i++) {
        struct cuda_device_facts facts;
        if (facts_of(i, &facts, why) != 0)
            return 0;
        if (10 * facts.major + facts.minor < cuda_least_capability()) {
            explain(why, "device %d, %s, is of compute capability %d.%d; this library was built for %d.%d and later (CUDA_VISIBLE_DEVICES leaves devices out)", i, facts.name, facts.major, facts.minor,
                    cuda_least_capability() / 10, cuda_least_capability() % 10);
            return 0;
        }
    }
    if (count == 0)
        explain(why, "CUDA knows of no device");
    return count;
}

const struct cuda_functions *reprise_cuda(int version)
{
    static const struct cuda_functions functions = {.devices = usable_devices, .check = check_model, .facts = facts_of, .open = encoder_open,
                                                    .batch_tokens = full_batch, .begin = encoder_begin, .finish = encoder_finish, .busy = encoder_busy, .replays = encoder_replays,
                                                    .close = encoder_close};
    return version == REPRISE_CUDA_VERSION ? &functions : NULL;
}
