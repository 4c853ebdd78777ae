/* Self-attention with its two products in bf16 on AMX tiles, for whatever precision linear layers have. For a processor with AVX-512 (VBMI and BF16 among it) and,
 * as amx_available says, tiles. */
#ifndef REPRISE_ATTENTION_AMX_H
#define REPRISE_ATTENTION_AMX_H

#include "kernels.h"

/* As struct kernels has them, with its promise. */
extern const struct attention_amx {
    void (*attention)(const struct attention *text, const float *qkv, size_t qkv_stride, float *context, size_t context_stride, float *scratch);
    size_t (*attention_scratch)(size_t tokens, size_t head_size);
} attention_amx;

#endif
