/* Self-attention in pairs of bf16 numbers on AMX tiles, for bf16. */
#if defined(__x86_64__)
#define TERMS 2
#include "attention_amx.h"

const struct reduced_attention attention_amx_bf16x2 = {attention, attention_scratch};
#endif
