#include "reduced.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

extern const struct reduced reduced_bf16, reduced_int8_avx512, reduced_int8_avx2;

/* What a compiler's own test does not know by name in every version. That the system keeps the wide registers is known: kernels_available has asked. */
static int has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

static int has_avx512_bf16(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}
#endif

/* The best instruction set that is allowed, and its attention in f32. */
static const struct kernels *allowed(void)
{
    struct reason why;
    return kernels_choose(&why);
}

int reduced_choose(enum precision wanted, struct reduced *chosen)
{
#if defined(__x86_64__)
    const struct kernels *kernels = allowed();
    const int wide = kernels && strcmp(kernels->set, "avx512") == 0, half = kernels && strcmp(kernels->set, "avx2") == 0;
    if (wanted == PRECISION_INT8 && wide && __builtin_cpu_supports("avx512vnni")) {
        *chosen = reduced_int8_avx512;
        chosen->attention = has_avx512_bf16() ? reduced_bf16.attention : kernels->attention;
        chosen->attention_scratch = has_avx512_bf16() ? reduced_bf16.attention_scratch : kernels->attention_scratch;
        return 1;
    }
    if (wanted == PRECISION_INT8 && (wide || half) && has_avx_vnni()) {
        *chosen = reduced_int8_avx2;
        chosen->attention = kernels->attention;
        chosen->attention_scratch = kernels->attention_scratch;
        return 1;
    }
    if (wanted >= PRECISION_BF16 && wide && has_avx512_bf16()) {
        *chosen = reduced_bf16;
        return 1;
    }
#endif
    (void)wanted, (void)chosen;
    return 0;
}

/* ---- names ---- */

static const char *const names[PRECISIONS] = {"f32", "f16", "bf16", "int8"};

const char *precision_name(enum precision precision)
{
    return names[precision];
}

int precision_from_name(const char *name)
{
    for (int i = 0; i < PRECISIONS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

enum precision encoder_precision(enum precision wanted)
{
    struct reduced chosen;
    return reduced_choose(wanted, &chosen) ? chosen.precision : PRECISION_F32;
}
