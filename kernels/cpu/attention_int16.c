/* Scores in 16-bit integers, context in f32. */
#if defined(__AVX512VNNI__)
#include "reduced_attention.h"

#define SCORES_INT16
#include "attention_avx512.h"

const struct reduced_attention attention_avx512_int16 = {attention, attention_scratch};
#endif
