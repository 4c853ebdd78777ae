#include "matmul.h"

#include "check.h"
#include "packing.h"

enum {
    WORKSPACE = 32 << 20, /* bytes: what the library advises for Hopper */
    CANDIDATES = 8,       /* algorithms that are asked for */
};

static cudaDataType_t data_type(enum element element)
{
    return element == ELEMENT_F16 ? CUDA_R_16F : element == ELEMENT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

int matmul_context_open(struct matmul_context *context, enum element element, struct reason *why)
{
    *context = (struct matmul_context){.element = element, .workspace_bytes = WORKSPACE};
    TRY_CUBLAS(cublasLtCreate(&context->handle), "starting cuBLASLt");
    TRY_CUDA(cudaMalloc(&context->workspace, context->workspace_bytes), "memory for matrix products");
    return 0;
}

void matmul_context_close(struct matmul_context *context)
{
    if (context->workspace)
        (void)cudaFree(context->workspace);
    if (context->handle)
        (void)cublasLtDestroy(context->handle);
    *context = (struct matmul_context){0};
}

/* The library's matrices lie column by column. A row-major [rows, width] is its [width, rows], so y^T = weights x^T: a is the weights, transposed, b is x^T. */
struct activation_layouts { cublasLtMatrixLayout_t x, y; };

static void destroy_layouts(struct activation_layouts *layouts)
{
    if (layouts->x)
        (void)cublasLtMatrixLayoutDestroy(layouts->x);
    if (layouts->y)
        (void)cublasLtMatrixLayoutDestroy(layouts->y);
}

static int create_layouts(const struct matmul_context *context, const struct matmul *matmul, int rows, struct activation_layouts *layouts, struct reason *why)
{
    const cudaDataType_t type = data_type(context->element);
    *layouts = (struct activation_layouts){0};
    TRY_CUBLAS(cublasLtMatrixLayoutCreate(&layouts->x, type, (uint64_t)matmul->inputs, (uint64_t)rows, matmul->inputs), "a layout of activations");
    const int result = check_cublas(cublasLtMatrixLayoutCreate(&layouts->y, type, (uint64_t)matmul->outputs, (uint64_t)rows, matmul->outputs), __FILE__, __LINE__,
                                    "a layout of activations", why);
    if (result != 0)
        destroy_layouts(layouts);
    return result;
}

static int describe(const struct matmul_context *context, struct matmul *matmul, const void *bias, enum matmul_then then, struct reason *why)
{
    const int32_t transposed = CUBLAS_OP_T;
    const uint32_t epilogue = then == MATMUL_BIAS_GELU ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    TRY_CUBLAS(cublasLtMatmulDescCreate(&matmul->description, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a matrix product");
    TRY_CUBLAS(cublasLtMatmulDescSetAttribute(matmul->description, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed), "describing a matrix product");
    TRY_CUBLAS(cublasLtMatmulDescSetAttribute(matmul->description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue), "describing its end");
    TRY_CUBLAS(cublasLtMatmulDescSetAttribute(matmul->description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), "describing its bias");
    TRY_CUBLAS(cublasLtMatrixLayoutCreate(&matmul->weight_layout, data_type(context->element), (uint64_t)matmul->inputs, (uint64_t)matmul->outputs, matmul->inputs),
               "a layout of weights");
    return 0;
}

/* Whether the library allows the algorithm for so many rows, as a heuristic speaks for its own number of rows alone. */
static int is_allowed(const struct matmul_context *context, const struct matmul *matmul, int rows, const cublasLtMatmulAlgo_t *algorithm)
{
    struct activation_layouts layouts;
    cublasLtMatmulHeuristicResult_t result;
    if (create_layouts(context, matmul, rows, &layouts, NULL) != 0)
        return 0;
    const cublasStatus_t status = cublasLtMatmulAlgoCheck(context->handle, matmul->description, matmul->weight_layout, layouts.x, layouts.y, layouts.y, algorithm, &result);
    destroy_layouts(&layouts);
    return status == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= context->workspace_bytes;
}

static int set_preferences(const struct matmul_context *context, cublasLtMatmulPreference_t preference, struct reason *why)
{
    const uint64_t workspace = context->workspace_bytes;
    const uint32_t unsplit = CUBLASLT_REDUCTION_SCHEME_NONE;
    TRY_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace), "the workspace's size");
    TRY_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &unsplit, sizeof unsplit), "a product of unsplit sums");
    return 0;
}

/* The class of so many rows, from 0. */
static int class_number(int rows)
{
    int number = 0;
    for (int size = CLASS_LEAST; size < rows && number < MATMUL_CLASSES - 1; size = size_class(size + 1))
        number++;
    return number;
}

/* Keeps the algorithm for the classes that it is allowed for; returns how many they are. */
static int keep(const struct matmul_context *context, const struct matmul *matmul, struct matmul_choice *choice, const cublasLtMatmulAlgo_t *algorithm,
                int allowed[MATMUL_CLASSES])
{
    int count = 0;
    for (int number = 0, rows = CLASS_LEAST; number < MATMUL_CLASSES; number++, rows = size_class(rows + 1)) {
        allowed[number] = is_allowed(context, matmul, rows, algorithm);
        choice->algorithm[number] = *algorithm;
        count += allowed[number];
    }
    return count;
}

/* Leaves those that the library says are fine. */
static int good_ones(cublasLtMatmulHeuristicResult_t *candidates, int found)
{
    int good = 0;
    for (int i = 0; i < found; i++)
        if (candidates[i].state == CUBLAS_STATUS_SUCCESS)
            candidates[good++] = candidates[i];
    return good;
}

/* What the heuristic names for so many rows, the best first. */
static int ask(const struct matmul_context *context, const struct matmul *matmul, int rows, cublasLtMatmulHeuristicResult_t candidates[CANDIDATES], int *found,
               struct reason *why)
{
    struct activation_layouts layouts;
    cublasLtMatmulPreference_t preference = NULL;
    TRY(create_layouts(context, matmul, rows, &layouts, why));
    int result = check_cublas(cublasLtMatmulPreferenceCreate(&preference), __FILE__, __LINE__, "preferences among algorithms", why);
    if (result == 0)
        result = set_preferences(context, preference, why);
    if (result == 0)
        result = check_cublas(cublasLtMatmulAlgoGetHeuristic(context->handle, matmul->description, matmul->weight_layout, layouts.x, layouts.y, layouts.y, preference,
                                                             CANDIDATES, candidates, found), __FILE__, __LINE__, "choosing an algorithm", why);
    if (preference)
        (void)cublasLtMatmulPreferenceDestroy(preference);
    destroy_layouts(&layouts);
    if (result == 0 && (*found = good_ones(candidates, *found)) < 1)
        return explain(why, "%s:%d: cuBLASLt has no algorithm for a layer of %d inputs and %d outputs", __FILE__, __LINE__, matmul->inputs, matmul->outputs);
    return result;
}

/* The first one that the heuristic names for the class, if it names any: if it does not, matmul_run says what is wrong, should it come to that. */
static void choose_for_class(const struct matmul_context *context, const struct matmul *matmul, int rows, cublasLtMatmulAlgo_t *algorithm)
{
    cublasLtMatmulHeuristicResult_t candidates[CANDIDATES];
    int found = 0;
    if (ask(context, matmul, rows, candidates, &found, NULL) == 0)
        *algorithm = candidates[0].algo;
}

static int choose(const struct matmul_context *context, const struct matmul *matmul, struct matmul_choice *choice, struct reason *why)
{
    cublasLtMatmulHeuristicResult_t candidates[CANDIDATES];
    int found = 0, allowed[MATMUL_CLASSES];
    TRY(ask(context, matmul, choice->rows, candidates, &found, why));
    for (int i = 0; i < found; i++)
        if (keep(context, matmul, choice, &candidates[i].algo, allowed) == MATMUL_CLASSES)
            return 0;
    (void)keep(context, matmul, choice, &candidates[0].algo, allowed);
    for (int number = 0, rows = CLASS_LEAST; number < MATMUL_CLASSES; number++, rows = size_class(rows + 1))
        if (!allowed[number])
            choose_for_class(context, matmul, rows, &choice->algorithm[number]);
    return 0;
}

static int choose_once(struct matmul_context *context, struct matmul *matmul, int rows, enum matmul_then then, struct reason *why)
{
    for (int i = 0; i < context->choices; i++) {
        const struct matmul_choice *known = &context->choice[i];
        if (known->inputs == matmul->inputs && known->outputs == matmul->outputs && known->rows == rows && known->then == then) {
            matmul->choice = known;
            return 0;
        }
    }
    if (context->choices == MATMUL_CHOICES)
        return explain(why, "%s:%d: layers of more than %d shapes", __FILE__, __LINE__, MATMUL_CHOICES);
    struct matmul_choice *choice = &context->choice[context->choices];
    *choice = (struct matmul_choice){.inputs = matmul->inputs, .outputs = matmul->outputs, .rows = rows, .then = then};
    TRY(choose(context, matmul, choice, why));
    context->choices++;
    matmul->choice = choice;
    return 0;
}

int matmul_open(struct matmul_context *context, struct matmul *matmul, int inputs, int outputs, const void *weights, const void *bias, enum matmul_then then,
                int rows, struct reason *why)
{
    *matmul = (struct matmul){.inputs = inputs, .outputs = outputs, .weights = weights};
    int result = describe(context, matmul, bias, then, why);
    if (result == 0)
        result = choose_once(context, matmul, rows, then, why);
    if (result != 0)
        matmul_close(matmul);
    return result;
}

void matmul_close(struct matmul *matmul)
{
    if (matmul->description)
        (void)cublasLtMatmulDescDestroy(matmul->description);
    if (matmul->weight_layout)
        (void)cublasLtMatrixLayoutDestroy(matmul->weight_layout);
    *matmul = (struct matmul){0};
}

int matmul_run(const struct matmul_context *context, const struct matmul *matmul, int rows, const void *x, void *y, cudaStream_t stream, struct reason *why)
{
    const float one = 1, zero = 0;
    struct activation_layouts layouts;
    TRY(create_layouts(context, matmul, rows, &layouts, why));
    const int result = check_cublas(cublasLtMatmul(context->handle, matmul->description, &one, matmul->weights, matmul->weight_layout, x, layouts.x, &zero, y,
                                                   layouts.y, y, layouts.y, &matmul->choice->algorithm[class_number(rows)], context->workspace, context->workspace_bytes, stream),
                                    __FILE__, __LINE__, "a matrix product", why);
    destroy_layouts(&layouts);
    return result;
}
