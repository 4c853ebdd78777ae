/* cublasLt.h's stand-in: d = epilogue(op(a) op(b)), matrices column by column, bias along the rows of d. */
#include "cublasLt.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "cuda_runtime.h"

struct shim_lt {};
struct shim_matmul {
    int32_t transposed_a, transposed_b;
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void *bias;
};
struct shim_layout { cudaDataType type; size_t rows, cols, ld; };
struct shim_preference {};

namespace {

float read(const void *values, cudaDataType type, size_t at)
{
    switch (type) {
    case CUDA_R_16F: return __half2float(static_cast<const __half *>(values)[at]);
    case CUDA_R_16BF: return __bfloat162float(static_cast<const __nv_bfloat16 *>(values)[at]);
    default: return static_cast<const float *>(values)[at];
    }
}

void write(void *values, cudaDataType type, size_t at, float value)
{
    switch (type) {
    case CUDA_R_16F: static_cast<__half *>(values)[at] = __float2half_rn(value); break;
    case CUDA_R_16BF: static_cast<__nv_bfloat16 *>(values)[at] = __float2bfloat16_rn(value); break;
    default: static_cast<float *>(values)[at] = value;
    }
}

/* The operand as rows of k floats each. */
std::vector<float> rows_of(const void *values, const shim_layout &layout, bool transposed)
{
    const size_t rows = transposed ? layout.cols : layout.rows, k = transposed ? layout.rows : layout.cols;
    std::vector<float> all(rows * k);
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < k; p++)
            all[i * k + p] = read(values, layout.type, transposed ? p + i * layout.ld : i + p * layout.ld);
    return all;
}

/* As the library computes it: by the hyperbolic tangent. */
float gelu(float x)
{
    return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

void multiply(const shim_matmul &desc, const void *a, const shim_layout &a_layout, const void *b, const shim_layout &b_layout, void *d, const shim_layout &d_layout)
{
    const std::vector<float> left = rows_of(a, a_layout, desc.transposed_a), right = rows_of(b, b_layout, !desc.transposed_b);
    const size_t k = desc.transposed_a ? a_layout.rows : a_layout.cols;
    for (size_t j = 0; j < d_layout.cols; j++)
        for (size_t i = 0; i < d_layout.rows; i++) {
            const float *x = &left[i * k], *y = &right[j * k];
            float sums[8] = {}, sum = 0;
            for (size_t p = 0; p < k; p++)
                sums[p % 8] += x[p] * y[p];
            for (const float part : sums)
                sum += part;
            if (desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT)
                sum += read(desc.bias, d_layout.type, i);
            write(d, d_layout.type, i + j * d_layout.ld, desc.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS ? gelu(sum) : sum);
        }
}

bool fit(const shim_matmul &desc, const shim_layout &a, const shim_layout &b, const shim_layout &d)
{
    const size_t m = desc.transposed_a ? a.cols : a.rows, k = desc.transposed_a ? a.rows : a.cols;
    const size_t n = desc.transposed_b ? b.rows : b.cols, k_too = desc.transposed_b ? b.cols : b.rows;
    return m == d.rows && n == d.cols && k == k_too && a.ld >= a.rows && b.ld >= b.rows && d.ld >= d.rows && (desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT || desc.bias);
}

/* Marks what the heuristic gave. The one that it names first for many rows is not allowed for few: the library promises no more than that. With SHIM_ALGORITHMS=1 it
 * names no other, so that none is allowed for all. */
const uint64_t algorithm = 0x5348494d, for_many_rows = 0x4d414e59;
const size_t many = 256;

bool is_algorithm(const cublasLtMatmulAlgo_t &algo, const shim_layout &d)
{
    return algo.data[0] == algorithm || (algo.data[0] == for_many_rows && d.cols >= many);
}

} // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = new shim_lt;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t, cudaDataType_t)
{
    *desc = new shim_matmul();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes)
{
    void *into = attribute == CUBLASLT_MATMUL_DESC_TRANSA   ? static_cast<void *>(&desc->transposed_a)
                 : attribute == CUBLASLT_MATMUL_DESC_TRANSB ? static_cast<void *>(&desc->transposed_b)
                 : attribute == CUBLASLT_MATMUL_DESC_EPILOGUE ? static_cast<void *>(&desc->epilogue)
                                                            : static_cast<void *>(&desc->bias);
    if (bytes != (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? sizeof(void *) : sizeof(int32_t)))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(into, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)
{
    *layout = new shim_layout{type, rows, cols, static_cast<size_t>(ld)};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference)
{
    *preference = new shim_preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t attribute, const void *, size_t bytes)
{
    return bytes == (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? 8u : 4u) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *found)
{
    *found = 0;
    if (wanted < 1 || !fit(*desc, *a, *b, *d))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (wanted > 1) { /* one that nothing is known of */
        results[*found] = {};
        results[(*found)++].state = CUBLAS_STATUS_NOT_SUPPORTED;
    }
    if (d->cols >= many) {
        results[*found] = {};
        results[(*found)++].algo = {{for_many_rows}};
    }
    if (d->cols < many || (*found < wanted && !getenv("SHIM_ALGORITHMS"))) {
        results[*found] = {};
        results[(*found)++].algo = {{algorithm}};
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t,
                                       cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algo, cublasLtMatmulHeuristicResult_t *result)
{
    *result = {};
    result->algo = *algo;
    return fit(*desc, *a, *b, *d) && is_algorithm(*algo, *d) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *, cublasLtMatrixLayout_t, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algo, void *, size_t, cudaStream_t stream)
{
    float one, zero;
    memcpy(&one, alpha, sizeof one);
    memcpy(&zero, beta, sizeof zero);
    if (!fit(*desc, *a_layout, *b_layout, *d_layout) || one < 1 || one > 1 || zero < 0 || zero > 0 || !is_algorithm(*algo, *d_layout))
        return CUBLAS_STATUS_INVALID_VALUE;
    const shim_matmul matmul = *desc;
    const shim_layout left = *a_layout, right = *b_layout, result = *d_layout;
    shim_enqueue(stream, [=] { multiply(matmul, a, left, b, right, d, result); });
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : status == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED";
}

} // extern "C"
