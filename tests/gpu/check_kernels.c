/* Compares every kernel of kernels/cuda with its reference over ragged shapes, on a device, or on the host with tests/shim. Prints the largest error of each; exits
 * with 1 if one is too large, if an output was not written, or if something outside the output was.
 *
 *   check_kernels [--quick] [f32|f16|bf16]…     quick: few and small shapes, as an interpreted device takes its time; of one element, or all
 *
 * Errors are relative to the largest value that was expected. What is allowed follows from the element: half a unit in the last place of a result, a few for
 * what goes through intermediate rounding. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernels/cuda/matmul.h"
#include "../../kernels/cuda/reference.h"
#include "half.h"
#include "ragged.h"

static int failures, quick;

static double unit_of(enum element element)
{
    return element == ELEMENT_F32 ? 6e-8 : element == ELEMENT_F16 ? 4.9e-4 : 3.9e-3; /* half a unit in the last place of 1 */
}

struct errors { double largest, expected; int unwritten; };

/* Compares `count` values, of which the first `meant` are outputs and the others must still be NaN. */
static void compare(struct errors *errors, const float *got, const float *expected, size_t meant, size_t count)
{
    for (size_t i = 0; i < meant; i++) {
        const double difference = fabs((double)got[i] - (double)expected[i]);
        errors->unwritten |= isnan(got[i]);
        errors->largest = fmax(errors->largest, difference);
        errors->expected = fmax(errors->expected, fabs((double)expected[i]));
    }
    for (size_t i = meant; i < count; i++)
        errors->unwritten |= !isnan(got[i]);
}

static void report(const char *kernel, const char *element, const struct errors *errors, double allowed)
{
    const double relative = errors->expected > 0 ? errors->largest / errors->expected : errors->largest;
    const int bad = !(relative <= allowed) || errors->unwritten;
    failures += bad;
    printf("%-34s %-5s largest error %.2e, allowed %.1e%s\n", kernel, element, relative, allowed, bad ? errors->unwritten ? "  WROTE TOO LITTLE OR TOO MUCH" : "  TOO LARGE" : "");
}

/* Of the series of batches (ragged.h): all, or some of which every kind of check gets two. */
static const int quick_batches[] = {5, 3, 8, 7, 0, 6};
enum { QUICK_BATCHES = sizeof quick_batches / sizeof *quick_batches, LONGEST_BATCH = 1 };

static int batches(void)
{
    return quick ? QUICK_BATCHES : 60;
}

/* All edges and some random ones: the reference takes a second for one. */
static int attention_batches(void)
{
    return quick ? QUICK_BATCHES : 18;
}

static struct ragged make_batch(int which)
{
    static int lengths[RAGGED_TEXTS];
    const int texts = ragged_lengths(which, 6000, lengths);
    return ragged_make(lengths, texts);
}

static struct ragged next_batch(int number)
{
    return make_batch(quick ? quick_batches[number] : number);
}

/* ---- rows ---- */

struct test_norm { struct layer_norm host, device; };

static struct test_norm make_norm(int hidden)
{
    struct test_norm norm = {.host = {random_values(ELEMENT_F32, (size_t)hidden, 1), random_values(ELEMENT_F32, (size_t)hidden, 1), 1e-12f}};
    norm.device = (struct layer_norm){device_elements(ELEMENT_F32, norm.host.gain, (size_t)hidden), device_elements(ELEMENT_F32, norm.host.bias, (size_t)hidden), 1e-12f};
    return norm;
}

static void free_norm(struct test_norm *norm)
{
    free((void *)(uintptr_t)norm->host.gain);
    free((void *)(uintptr_t)norm->host.bias);
    device_free((void *)(uintptr_t)norm->device.gain);
    device_free((void *)(uintptr_t)norm->device.bias);
}

static const int widths[] = {64, 384, 768, 1024, 96, 8, 1536, 2048};

static void check_embed_batch(enum element element, const struct ragged *ragged, int hidden, int with_types, struct errors *errors)
{
    const size_t wide = (size_t)hidden, words = RAGGED_VOCABULARY * wide, positions = RAGGED_POSITIONS * wide, room = (size_t)ragged->launch.rows * wide;
    float *tables[] = {random_values(element, words, 2), random_values(element, positions, 1), random_values(element, wide, 1)}, *expected = calloc(room, sizeof *expected);
    void *on_device[] = {device_elements(element, tables[0], words), device_elements(element, tables[1], positions), device_elements(element, tables[2], wide)};
    void *states = device_bytes(room * element_size(element));
    struct test_norm norm = make_norm(hidden);
    if (!expected)
        out_of_memory();
    MUST(cuda_embed(element, ragged->launch, ragged->device, hidden, (struct embedding_tables){on_device[0], on_device[1], with_types ? on_device[2] : NULL}, norm.device, states));
    float *got = host_values(element, states, room);
    reference_embed(ragged->host, hidden, tables[0], tables[1], with_types ? tables[2] : NULL, norm.host, expected);
    compare(errors, got, expected, (size_t)ragged->packing.tokens * wide, room);
    for (int i = 0; i < 3; i++)
        free(tables[i]), device_free(on_device[i]);
    free(expected), free(got), device_free(states), free_norm(&norm);
}

static void check_add_norm_batch(enum element element, const struct ragged *ragged, int hidden, struct errors *errors)
{
    const size_t count = (size_t)ragged->packing.tokens * (size_t)hidden;
    float *states = random_values(element, count, 2), *delta = random_values(element, count, 1);
    void *device_states = device_elements(element, states, count), *device_delta = device_elements(element, delta, count);
    struct test_norm norm = make_norm(hidden);
    MUST(cuda_add_norm(element, ragged->launch, ragged->device, hidden, device_states, device_delta, norm.device));
    float *got = host_values(element, device_states, count);
    reference_add_norm(ragged->host, hidden, states, delta, norm.host);
    compare(errors, got, states, count, count);
    free(states), free(delta), free(got), device_free(device_states), device_free(device_delta), free_norm(&norm);
}

static void check_gelu_batch(enum element element, const struct ragged *ragged, int width, struct errors *errors)
{
    const size_t count = (size_t)ragged->packing.tokens * (size_t)width;
    float *x = random_values(element, count, 6);
    void *device = device_elements(element, x, count);
    MUST(cuda_gelu(element, ragged->launch, ragged->device, width, device));
    float *got = host_values(element, device, count);
    reference_gelu(ragged->host, width, x);
    compare(errors, got, x, count, count);
    free(x), free(got), device_free(device);
}

static void check_rows(enum element element)
{
    struct errors embed = {0}, norm = {0}, gelu = {0};
    for (int i = 0; i < batches(); i++) {
        struct ragged ragged = next_batch(i);
        const int width = widths[i % (int)(sizeof widths / sizeof *widths)];
        check_embed_batch(element, &ragged, width, i % 2, &embed);
        check_add_norm_batch(element, &ragged, width, &norm);
        check_gelu_batch(element, &ragged, width, &gelu);
        ragged_free(&ragged);
    }
    report("embedding + layer norm", element_names[element], &embed, 2 * unit_of(element) + 1e-6);
    report("residual + layer norm", element_names[element], &norm, 2 * unit_of(element) + 1e-6);
    report("gelu", element_names[element], &gelu, 2 * unit_of(element) + 1e-6);
}

/* ---- attention ---- */

static void check_attention_batch(enum element element, const struct ragged *ragged, struct attention_shape shape, double size, struct errors *errors)
{
    const size_t width = (size_t)shape.heads * (size_t)shape.head_size, tokens = (size_t)ragged->packing.tokens, room = (size_t)ragged->launch.rows * width;
    const size_t biases = (size_t)shape.heads * (size_t)(2 * shape.longest - 1);
    float *qkv = random_values(element, tokens * 3 * width, size), *expected = calloc(room, sizeof *expected);
    float *bias = shape.distance_bias ? random_values(ELEMENT_F32, biases, 2) : NULL;
    void *device_qkv = device_elements(element, qkv, tokens * 3 * width), *context = device_bytes(room * element_size(element));
    void *device_bias = bias ? device_elements(ELEMENT_F32, bias, biases) : NULL;
    if (!expected)
        out_of_memory();
    shape.distance_bias = device_bias;
    MUST(cuda_attention(element, ragged->launch, ragged->device, shape, device_qkv, context));
    float *got = host_values(element, context, room);
    shape.distance_bias = bias;
    reference_attention(ragged->host, shape, qkv, expected);
    compare(errors, got, expected, tokens * width, room);
    free(qkv), free(expected), free(bias), free(got), device_free(device_qkv), device_free(context), device_free(device_bias);
}

static void check_attention(enum element element, int tensor_cores)
{
    static const int sizes[] = {32, 64, 96, 128};
    static const float some_bias;
    for (int s = 0; s < 4; s++) {
        struct errors plain = {0}, biased = {0}, sharp = {0};
        for (int i = 0; i < attention_batches(); i++) {
            struct ragged ragged = next_batch(i);
            const struct attention_shape shape = {.heads = quick ? 1 + (s == 0) : 3, .head_size = sizes[s], .longest = RAGGED_POSITIONS, .tensor_cores = tensor_cores};
            struct attention_shape with_bias = shape;
            with_bias.distance_bias = &some_bias;
            check_attention_batch(element, &ragged, i % 3 == 2 ? with_bias : shape, i % 3 == 1 ? 8 : 1, i % 3 == 2 ? &biased : i % 3 == 1 ? &sharp : &plain);
            ragged_free(&ragged);
        }
        if (quick && sizes[s] == 64 && element == (tensor_cores ? ELEMENT_F16 : ELEMENT_F32)) { /* once, as an interpreter takes long for it */
            struct ragged ragged = make_batch(LONGEST_BATCH);
            check_attention_batch(element, &ragged, (struct attention_shape){.heads = 1, .head_size = 64, .longest = RAGGED_POSITIONS, .tensor_cores = tensor_cores}, 1, &plain);
            ragged_free(&ragged);
        }
        char name[64];
        snprintf(name, sizeof name, "attention, heads of %d%s", sizes[s], tensor_cores ? ", tensor" : "");
        report(name, element_names[element], &plain, 4 * unit_of(element) + 1e-6);
        snprintf(name, sizeof name, "  … with a bias by distance");
        report(name, element_names[element], &biased, 4 * unit_of(element) + 1e-6);
        snprintf(name, sizeof name, "  … with scores of hundreds");
        report(name, element_names[element], &sharp, 4 * unit_of(element) + 1e-4);
    }
}

/* ---- the head ---- */

static void check_pool_batch(enum element element, const struct ragged *ragged, struct poolings poolings, struct errors *errors)
{
    const int hidden = 160; /* more than a block has threads */
    const size_t count = (size_t)ragged->packing.tokens * (size_t)hidden, row = (size_t)poolings.count * (size_t)hidden, room = (size_t)ragged->launch.texts * row;
    float *states = random_values(element, count, 1), *expected = calloc(room, sizeof *expected);
    void *device = device_elements(element, states, count);
    float *pooled = device_bytes(room * sizeof *pooled);
    if (!expected)
        out_of_memory();
    MUST(cuda_pool(element, ragged->launch, ragged->device, hidden, device, poolings, pooled));
    float *got = host_values(ELEMENT_F32, pooled, room);
    reference_pool(ragged->host, hidden, states, poolings, expected);
    compare(errors, got, expected, (size_t)ragged->packing.texts * row, room);
    free(states), free(expected), free(got), device_free(device), device_free(pooled);
}

static void check_pooling(enum element element)
{
    struct errors errors = {0};
    for (int i = 0; i < batches(); i++) {
        struct ragged ragged = next_batch(i);
        const struct poolings all = {.count = POOL_MODES, .mode = {0, 1, 2, 3, 4, 5}, .skipped = i % 4}, one = {.count = 1, .mode = {i % POOL_MODES}};
        check_pool_batch(element, &ragged, i % 2 ? all : one, &errors);
        ragged_free(&ragged);
    }
    report("pooling, all modes", element_names[element], &errors, 2e-6);
}

static void check_dense_batch(const struct ragged *ragged, int inputs, int outputs, enum dense_activation activation, int with_bias, struct errors *dense_errors,
                              struct errors *normal_errors)
{
    const size_t texts = (size_t)ragged->packing.texts, room = (size_t)ragged->launch.texts * (size_t)outputs, weights = (size_t)inputs * (size_t)outputs;
    struct dense host = {inputs, outputs, random_values(ELEMENT_F32, weights, 0.1), with_bias ? random_values(ELEMENT_F32, (size_t)outputs, 1) : NULL, activation};
    struct dense device = {inputs, outputs, device_elements(ELEMENT_F32, host.weights, weights), with_bias ? device_elements(ELEMENT_F32, host.bias, (size_t)outputs) : NULL,
                           activation};
    float *x = random_values(ELEMENT_F32, texts * (size_t)inputs, 1), *expected = calloc(room, sizeof *expected);
    float *device_x = device_elements(ELEMENT_F32, x, texts * (size_t)inputs), *y = device_bytes(room * sizeof *y);
    if (!expected)
        out_of_memory();
    MUST(cuda_dense(ragged->launch, ragged->device, device, device_x, y));
    float *got = host_values(ELEMENT_F32, y, room);
    reference_dense(ragged->host, host, x, expected);
    compare(dense_errors, got, expected, texts * (size_t)outputs, room);
    free(got);
    const int some = outputs - outputs / 3;
    MUST(cuda_normalize(ragged->launch, ragged->device, outputs, some, y));
    got = host_values(ELEMENT_F32, y, room);
    reference_normalize(ragged->host, outputs, some, expected);
    compare(normal_errors, got, expected, texts * (size_t)outputs, room);
    free(x), free(expected), free(got), free((void *)(uintptr_t)host.weights), free((void *)(uintptr_t)host.bias);
    device_free(device_x), device_free(y), device_free((void *)(uintptr_t)device.weights), device_free((void *)(uintptr_t)device.bias);
}

static void check_dense(void)
{
    struct errors dense = {0}, normal = {0};
    for (int i = 0; i < batches(); i++) {
        struct ragged ragged = next_batch(i);
        check_dense_batch(&ragged, pick(1, 300), pick(1, 200), (enum dense_activation)(i % 5), i % 2, &dense, &normal);
        ragged_free(&ragged);
    }
    report("dense head", "f32", &dense, 5e-6);
    report("normalization", "f32", &normal, 5e-6);
}

/* ---- matrix products ---- */

/* A product that fails is told, and the others go on. */
static int run_product(enum element element, int rows, int inputs, int outputs, enum matmul_then then, const void *weights, const void *bias, const void *x, void *y)
{
    struct matmul_context context;
    struct matmul matmul = {0};
    struct reason why;
    int result = matmul_context_open(&context, element, &why);
    if (result == 0)
        result = matmul_open(&context, &matmul, inputs, outputs, weights, bias, then, 8192, &why);
    if (result == 0)
        result = matmul_run(&context, &matmul, rows, x, y, test_stream(), &why);
    if (result != 0)
        printf("a product of %d rows, %d inputs, %d outputs, %s: %s\n", rows, inputs, outputs, element_names[element], why.text);
    MUST(cudaStreamSynchronize(test_stream()));
    matmul_close(&matmul);
    matmul_context_close(&context);
    return result;
}

static void check_product(enum element element, int rows, int inputs, int outputs, enum matmul_then then, struct errors *errors)
{
    const size_t weights = (size_t)inputs * (size_t)outputs, count = (size_t)rows * (size_t)outputs;
    float *w = random_values(element, weights, 1 / sqrt(inputs)), *b = random_values(element, (size_t)outputs, 1), *x = random_values(element, (size_t)rows * (size_t)inputs, 2);
    float *expected = calloc(count, sizeof *expected);
    void *dw = device_elements(element, w, weights), *db = device_elements(element, b, (size_t)outputs), *dx = device_elements(element, x, (size_t)rows * (size_t)inputs);
    void *y = device_bytes(count * element_size(element));
    if (!expected)
        out_of_memory();
    failures += run_product(element, rows, inputs, outputs, then, dw, db, dx, y) != 0;
    float *got = host_values(element, y, count);
    reference_linear(rows, inputs, outputs, w, b, then == MATMUL_BIAS_GELU, x, expected);
    compare(errors, got, expected, count, count);
    free(w), free(b), free(x), free(expected), free(got), device_free(dw), device_free(db), device_free(dx), device_free(y);
}

static void check_products(enum element element)
{
    struct errors bias = {0}, gelu = {0};
    for (int i = 0; i < (quick ? 3 : 20); i++) {
        const int rows = 64 * pick(1, quick ? 2 : 40), inputs = 32 * pick(1, 8), outputs = 32 * pick(1, 8);
        check_product(element, rows, inputs, outputs, MATMUL_BIAS, &bias);
        if (element != ELEMENT_F32)
            check_product(element, rows, inputs, outputs, MATMUL_BIAS_GELU, &gelu);
    }
    report("linear layer", element_names[element], &bias, 2 * unit_of(element) + 2e-6);
    if (element != ELEMENT_F32)
        report("linear layer, gelu (tanh)", element_names[element], &gelu, 2 * unit_of(element) + 1e-3);
}

int main(int argc, char **argv)
{
    struct test_arguments arguments;
    if (test_arguments_read(argc, argv, &arguments) < 0) {
        fprintf(stderr, "usage: check_kernels [--quick] [f32|f16|bf16]...\n");
        return 2;
    }
    quick = arguments.quick;
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was found is told, whatever comes later */
    for (int element = ELEMENT_F32; element <= ELEMENT_BF16; element++) {
        if (!arguments.elements[element])
            continue;
        check_rows((enum element)element);
        check_attention((enum element)element, 0);
        if (element != ELEMENT_F32)
            check_attention((enum element)element, 1);
        check_pooling((enum element)element);
        check_products((enum element)element);
        if (element == ELEMENT_F32)
            check_dense();
    }
    return failures ? 1 : 0;
}
