/* Times the kernels on a device at the shapes of real models, each beside its roof: for what moves memory the rate of a large copy, for products that of a large product
 * of the same type, both measured here.
 *
 *   time_kernels [f32|f16|bf16]…     prints a table; every time is the median of repeated runs between two events, each of several launches, or it would be that of launching */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../kernels/cuda/encoder.h"
#include "ragged.h"

enum { REPEATS = 21, WARM_UP = 5, LAUNCHES = 10 };

static struct reason why;

static void need(int result)
{
    if (result != 0) {
        fprintf(stderr, "%s\n", why.text);
        exit(2);
    }
}

/* ---- timing ---- */

typedef void piece_of_work(void *context);

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Seconds of one run. */
static double time_of(piece_of_work *work, void *context)
{
    cudaEvent_t begin, end;
    float times[REPEATS];
    MUST(cudaEventCreateWithFlags(&begin, cudaEventDefault));
    MUST(cudaEventCreateWithFlags(&end, cudaEventDefault));
    for (int i = -WARM_UP; i < REPEATS; i++) {
        float milliseconds;
        MUST(cudaEventRecord(begin, test_stream()));
        for (int launch = 0; launch < LAUNCHES; launch++)
            work(context);
        MUST(cudaEventRecord(end, test_stream()));
        MUST(cudaEventSynchronize(end));
        MUST(cudaEventElapsedTime(&milliseconds, begin, end));
        if (i >= 0)
            times[i] = milliseconds;
    }
    MUST(cudaEventDestroy(begin));
    MUST(cudaEventDestroy(end));
    qsort(times, REPEATS, sizeof *times, by_size);
    return (double)times[REPEATS / 2] * 1e-3 / LAUNCHES;
}

/* ---- roofs ---- */

struct copy { void *from, *to; size_t bytes; };

static void run_copy(void *context)
{
    const struct copy *copy = context;
    MUST(cudaMemcpyAsync(copy->to, copy->from, copy->bytes, cudaMemcpyDeviceToDevice, test_stream()));
}

/* Bytes a second, read and written ones counted. */
static double copy_rate(void)
{
    struct copy copy = {.bytes = (size_t)2 << 30};
    copy.from = device_bytes(copy.bytes);
    copy.to = device_bytes(copy.bytes);
    const double seconds = time_of(run_copy, &copy);
    device_free(copy.from);
    device_free(copy.to);
    return 2 * (double)copy.bytes / seconds;
}

struct product { struct matmul_context context; struct matmul matmul; int rows; void *x, *y; };

static void run_product(void *context)
{
    struct product *product = context;
    need(matmul_run(&product->context, &product->matmul, product->rows, product->x, product->y, test_stream(), &why));
}

/* Random values on the device without making as many on the host: the same ones over and over. */
static void *many_elements(enum element element, size_t count)
{
    enum { SOME = 1 << 20 };
    float *values = random_values(element, SOME, 1);
    char *few = device_elements(element, values, SOME), *all = device_bytes(count * element_size(element));
    for (size_t i = 0; i < count; i += SOME) {
        const size_t some = count - i < SOME ? count - i : SOME;
        MUST(cudaMemcpyAsync(all + i * element_size(element), few, some * element_size(element), cudaMemcpyDeviceToDevice, test_stream()));
    }
    MUST(cudaStreamSynchronize(test_stream()));
    device_free(few);
    free(values);
    return all;
}

/* Floating-point operations a second of one linear layer. */
static double product_rate(enum element element, int rows, int inputs, int outputs, enum matmul_then then)
{
    struct product product = {.rows = rows};
    void *weights = many_elements(element, (size_t)inputs * (size_t)outputs), *bias = many_elements(element, (size_t)outputs);
    product.x = many_elements(element, (size_t)rows * (size_t)inputs);
    product.y = device_bytes((size_t)rows * (size_t)outputs * element_size(element));
    need(matmul_context_open(&product.context, element, &why));
    need(matmul_open(&product.context, &product.matmul, inputs, outputs, weights, bias, then, rows, &why));
    const double seconds = time_of(run_product, &product);
    matmul_close(&product.matmul);
    matmul_context_close(&product.context);
    device_free(weights), device_free(bias), device_free(product.x), device_free(product.y);
    return 2.0 * rows * inputs * outputs / seconds;
}

/* ---- kernels ---- */

struct shape { const char *name; int hidden, heads, intermediate; };

struct rows {
    enum element element;
    struct ragged ragged;
    struct shape shape;
    void *states, *delta, *qkv, *context, *wide;
    struct layer_norm norm;
    struct embedding_tables tables;
    float *pooled;
};

static void run_embed(void *context)
{
    struct rows *rows = context;
    MUST(cuda_embed(rows->element, rows->ragged.launch, rows->ragged.device, rows->shape.hidden, rows->tables, rows->norm, rows->states));
}

static void run_add_norm(void *context)
{
    struct rows *rows = context;
    MUST(cuda_add_norm(rows->element, rows->ragged.launch, rows->ragged.device, rows->shape.hidden, rows->states, rows->delta, rows->norm));
}

static void run_gelu(void *context)
{
    struct rows *rows = context;
    MUST(cuda_gelu(rows->element, rows->ragged.launch, rows->ragged.device, rows->shape.intermediate, rows->wide));
}

static void run_attention(void *context)
{
    struct rows *rows = context;
    const struct attention_shape shape = {.heads = rows->shape.heads, .head_size = rows->shape.hidden / rows->shape.heads, .longest = RAGGED_POSITIONS, .tensor_cores = 1};
    MUST(cuda_attention(rows->element, rows->ragged.launch, rows->ragged.device, shape, rows->qkv, rows->context));
}

static void run_pool(void *context)
{
    struct rows *rows = context;
    const struct poolings mean = {.count = 1, .mode = {POOL_MEAN}};
    MUST(cuda_pool(rows->element, rows->ragged.launch, rows->ragged.device, rows->shape.hidden, rows->states, mean, rows->pooled));
}

static struct rows make_rows(enum element element, struct shape shape, int tokens_each, int tokens)
{
    static int lengths[RAGGED_TEXTS];
    const int texts = tokens / tokens_each;
    const size_t hidden = (size_t)shape.hidden;
    for (int i = 0; i < texts; i++)
        lengths[i] = tokens_each;
    struct rows rows = {.element = element, .ragged = ragged_make(lengths, texts), .shape = shape};
    const size_t room = (size_t)rows.ragged.launch.rows;
    rows.states = many_elements(element, room * hidden);
    rows.delta = many_elements(element, room * hidden);
    rows.qkv = many_elements(element, room * 3 * hidden);
    rows.context = many_elements(element, room * hidden);
    rows.wide = many_elements(element, room * (size_t)shape.intermediate);
    rows.norm = (struct layer_norm){many_elements(ELEMENT_F32, hidden), many_elements(ELEMENT_F32, hidden), 1e-12f};
    rows.tables = (struct embedding_tables){many_elements(element, RAGGED_VOCABULARY * hidden), many_elements(element, RAGGED_POSITIONS * hidden), many_elements(element, hidden)};
    rows.pooled = device_bytes((size_t)rows.ragged.launch.texts * hidden * sizeof *rows.pooled);
    return rows;
}

static void free_rows(struct rows *rows)
{
    const void *all[] = {rows->states, rows->delta, rows->qkv, rows->context, rows->wide, rows->norm.gain, rows->norm.bias, rows->tables.words, rows->tables.positions,
                         rows->tables.types, rows->pooled};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        device_free((void *)(uintptr_t)all[i]);
    ragged_free(&rows->ragged);
}

static void print_moving(const char *kernel, double seconds, double bytes, double roof)
{
    printf("  %-34s %8.1f us %8.0f GB/s   %3.0f %% of a copy\n", kernel, seconds * 1e6, bytes / seconds * 1e-9, 100 * bytes / seconds / roof);
}

static void time_shape(enum element element, struct shape shape, int tokens_each, int budget, double copy, double product)
{
    struct rows rows = make_rows(element, shape, tokens_each, budget);
    const double tokens = rows.ragged.packing.tokens, row = tokens * shape.hidden * (double)element_size(element);
    const int room = rows.ragged.launch.rows, hidden = shape.hidden;
    printf("%s, %s, texts of %d tokens, %d in a batch of %.0f\n", shape.name, element_names[element], tokens_each,
           rows.ragged.packing.texts, tokens);
    print_moving("embedding + layer norm", time_of(run_embed, &rows), row, copy); /* the tables stay in the cache */
    print_moving("residual + layer norm", time_of(run_add_norm, &rows), 3 * row, copy);
    if (element == ELEMENT_F32)
        print_moving("gelu", time_of(run_gelu, &rows), 2 * row * shape.intermediate / hidden, copy);
    print_moving("pooling", time_of(run_pool, &rows), row, copy);
    const double attention = time_of(run_attention, &rows), operations = 4 * tokens * tokens_each * hidden;
    printf("  %-34s %8.1f us %8.1f TFLOP/s, moving %.0f %% of a copy\n", "attention", attention * 1e6, operations / attention * 1e-12, 100 * 4 * row / attention / copy);
    const struct { const char *name; int inputs, outputs; enum matmul_then then; } layers[] = {
        {"product: queries, keys, values", hidden, 3 * hidden, MATMUL_BIAS}, {"product: attention's output", hidden, hidden, MATMUL_BIAS},
        {"product: up", hidden, shape.intermediate, element == ELEMENT_F32 ? MATMUL_BIAS : MATMUL_BIAS_GELU}, {"product: down", shape.intermediate, hidden, MATMUL_BIAS}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const double rate = product_rate(element, room, layers[i].inputs, layers[i].outputs, layers[i].then);
        printf("  %-34s %8.1f us %8.1f TFLOP/s   %3.0f %% of a large product\n", layers[i].name, 2.0 * room * layers[i].inputs * layers[i].outputs / rate * 1e6, rate * 1e-12,
               100 * rate / product);
    }
    free_rows(&rows);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {{"MiniLM-L6", 384, 12, 1536}, {"bert-base", 768, 12, 3072}};
    static const int lengths[] = {60, 110, 128, 256};
    struct test_arguments arguments;
    if (test_arguments_read(argc, argv, &arguments) < 0 || arguments.quick) {
        fprintf(stderr, "usage: time_kernels [f32|f16|bf16]...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was measured is told, whatever comes later */
    const double copy = copy_rate();
    printf("a copy of 2 GiB: %.0f GB/s, read and written\n", copy * 1e-9);
    for (int element = ELEMENT_F32; element <= ELEMENT_BF16; element++) {
        if (!arguments.elements[element])
            continue;
        const double product = product_rate((enum element)element, 8192, 8192, 8192, MATMUL_BIAS);
        printf("a product of 8192 x 8192 x 8192, %s: %.0f TFLOP/s\n", element_names[element], product * 1e-12);
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
                if (element == ELEMENT_F16 || lengths[i] == 128)
                    time_shape((enum element)element, shapes[s], lengths[i], s ? 16384 : 8192, copy, product);
    }
    return 0;
}
