#include "matmul.h"

#include "check.h"
#include "packing.h"

enum {
    WORKSPACE = 32 << 20, /* bytes: what the library advises for Hopper */
    CANDIDATES = 8,       /* algorithms that are asked for */
    MOST_ROWS = 1 << 16,  /* up to which an algorithm is tried: BATCH_SIZE=128 of texts of 512 tokens; for very many it may lack the indices */
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

static int is_allowed_always(const struct matmul_context *context, const struct matmul *matmul, const cublasLtMatmulAlgo_t *algorithm)
{
    for (int rows = CLASS_LEAST; rows <= MOST_ROWS; rows = size_class(rows + 1))
        if (!is_allowed(context, matmul, rows, algorithm))
            return 0;
    return 1;
}

static int choose(const struct matmul_context *context, struct matmul *matmul, const struct activation_layouts *layouts, cublasLtMatmulPreference_t preference,
                  struct reason *why)
{
    const uint64_t workspace = context->workspace_bytes;
    const uint32_t unsplit = CUBLASLT_REDUCTION_SCHEME_NONE;
    cublasLtMatmulHeuristicResult_t candidates[CANDIDATES];
    int found = 0, chosen = 0;
    TRY_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace), "the workspace's size");
    TRY_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &unsplit, sizeof unsplit), "a product of unsplit sums");
    TRY_CUBLAS(cublasLtMatmulAlgoGetHeuristic(context->handle, matmul->description, matmul->weight_layout, layouts->x, layouts->y, layouts->y, preference, CANDIDATES,
                                              candidates, &found), "choosing an algorithm");
    if (found < 1)
        return explain(why, "%s:%d: cuBLASLt has no algorithm for a layer of %d inputs and %d outputs", __FILE__, __LINE__, matmul->inputs, matmul->outputs);
    while (chosen < found && !is_allowed_always(context, matmul, &candidates[chosen].algo))
        chosen++;
    matmul->algorithm = candidates[chosen < found ? chosen : 0].algo; /* none: the first, and matmul_run says what is wrong with it, if it comes to that */
    return 0;
}

static int choose_for_rows(const struct matmul_context *context, struct matmul *matmul, int rows, struct reason *why)
{
    struct activation_layouts layouts;
    cublasLtMatmulPreference_t preference = NULL;
    TRY(create_layouts(context, matmul, rows, &layouts, why));
    int result = check_cublas(cublasLtMatmulPreferenceCreate(&preference), __FILE__, __LINE__, "preferences among algorithms", why);
    if (result == 0)
        result = choose(context, matmul, &layouts, preference, why);
    if (preference)
        (void)cublasLtMatmulPreferenceDestroy(preference);
    destroy_layouts(&layouts);
    return result;
}

static int choose_once(struct matmul_context *context, struct matmul *matmul, int rows, enum matmul_then then, struct reason *why)
{
    for (int i = 0; i < context->choices; i++) {
        const struct matmul_choice *known = &context->choice[i];
        if (known->inputs == matmul->inputs && known->outputs == matmul->outputs && known->rows == rows && known->then == then) {
            matmul->algorithm = known->algorithm;
            return 0;
        }
    }
    TRY(choose_for_rows(context, matmul, rows, why));
    if (context->choices < MATMUL_CHOICES)
        context->choice[context->choices++] = (struct matmul_choice){matmul->inputs, matmul->outputs, rows, then, matmul->algorithm};
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
                                                   layouts.y, y, layouts.y, &matmul->algorithm, context->workspace, context->workspace_bytes, stream),
                                    __FILE__, __LINE__, "a matrix product", why);
    destroy_layouts(&layouts);
    return result;
}
