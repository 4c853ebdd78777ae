/* Self-attention with its two products in bf16, for linear layers in bf16 and int8: by AVX-512 BF16 (VDPBF16PS), or on AMX tiles. */
#ifndef REPRISE_ATTENTION_BF16_H
#define REPRISE_ATTENTION_BF16_H

#include "kernels.h"

/* As struct kernels has them, with its promise. The second needs AVX-512 VBMI and BF16 beside tiles (amx.h). */
extern const struct attention_bf16 {
    void (*attention)(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch);
    size_t (*attention_scratch)(size_t tokens, size_t head_size);
} attention_avx512_bf16, attention_amx;

#endif
