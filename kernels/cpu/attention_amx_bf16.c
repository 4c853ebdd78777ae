/* Self-attention in bf16 on AMX tiles, for int8 and for the late layers of bf16. */
#if defined(__x86_64__)
#define TERMS 1
#include "attention_amx.h"

const struct reduced_attention attention_amx_bf16 = {attention, attention_scratch};
#endif
