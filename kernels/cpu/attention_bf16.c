/* Both products of attention in bf16, by AVX-512 BF16 (VDPBF16PS). */
#if defined(__AVX512BF16__)
#include "reduced_attention.h"

#include "attention_avx512.h"

const struct reduced_attention attention_avx512_bf16 = {attention, attention_scratch};
#endif
