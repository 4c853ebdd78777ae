/* Self-attention for linear layers in bf16 and int8 (reduced.h).
 *   attention_avx512_int16   scores in 16-bit integers, context in f32: for bf16. With both in bf16, of 2,000 texts in 12 languages all-mpnet-base-v2 had three below a cosine of 0.9999 to f32,
 *                            the least 0.9969; with scores alone in integers one, 0.9977.
 *   attention_amx_bf16x2     the same on AMX tiles: each factor is a sum of two bf16 numbers
 *   attention_avx512_bf16    both products in bf16, by AVX-512 BF16 (VDPBF16PS): for int8, and for the late layers of bf16
 *   attention_amx_bf16       the same on AMX tiles */
#ifndef REPRISE_REDUCED_ATTENTION_H
#define REPRISE_REDUCED_ATTENTION_H

#include "kernels.h"

/* As struct kernels has them, with its promise. */
struct reduced_attention {
    void (*attention)(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch);
    size_t (*scratch)(size_t tokens, size_t head_size); /* floats */
};

/* Those on tiles (amx.h) need AVX-512 VBMI and BF16 too. */
extern const struct reduced_attention attention_avx512_bf16, attention_avx512_int16, attention_amx_bf16, attention_amx_bf16x2;

#endif
