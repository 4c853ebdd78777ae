#include "reduced.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

#include "reduced_attention.h"

extern const struct reduced reduced_int16_avx512_paired, reduced_int16_avx512, reduced_int16_avx2, reduced_int8_avx512, reduced_int8_avx2vnni, reduced_int8_avx512bw,
    reduced_int8_avx2, reduced_int8_amx, reduced_bf16_amx, reduced_int16_amx, reduced_int24_amx;

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

static int has_tiles(const struct kernels *exact)
{
    return strcmp(exact->name, "amx") == 0;
}

/* The kernels of linear layers for `wanted`, or for the next higher precision; NULL: that is f32. */
static const struct reduced *choose_linear(enum precision wanted, const struct kernels *exact, enum where where)
{
    if (has_tiles(exact) && wanted == PRECISION_BF16)
        return where == LATE && has_avx512_bf16() ? &reduced_bf16_amx : &reduced_int16_amx;
    if (has_tiles(exact))
        return wanted == PRECISION_INT8 ? &reduced_int8_amx : &reduced_int24_amx;
    const int wide = strcmp(exact->set, "avx512") == 0, narrow = strcmp(exact->set, "avx2") == 0, paired = strcmp(exact->name, exact->set) != 0;
    const int vnni = wide && __builtin_cpu_supports("avx512vnni");
    if (wanted == PRECISION_INT8 && vnni)
        return &reduced_int8_avx512;
    if (wanted == PRECISION_INT8 && (wide || narrow) && has_avx_vnni())
        return &reduced_int8_avx2vnni;
    if (wanted == PRECISION_INT8 && wide && __builtin_cpu_supports("avx512bw"))
        return &reduced_int8_avx512bw;
    if (wanted == PRECISION_INT8 && narrow)
        return &reduced_int8_avx2;
    if (wanted >= PRECISION_BF16 && vnni)
        return paired ? &reduced_int16_avx512_paired : &reduced_int16_avx512;
    return wanted >= PRECISION_BF16 && narrow ? &reduced_int16_avx2 : NULL;
}

/* VDPBF16PS is as fast as VPDPWSSD on AMD's processors, and slower than multiply-adds in f32 on Intel's. */
static struct reduced_attention choose_attention(enum precision precision, const struct kernels *exact, enum where where)
{
    const struct reduced_attention in_f32 = {exact->attention, exact->attention_scratch};
    const int wide = strcmp(exact->set, "avx512") == 0, paired = strcmp(exact->name, "avx512_paired") == 0, few_bits_do = precision == PRECISION_INT8 || where == LATE;
    if (precision == PRECISION_F32)
        return in_f32;
    if (has_tiles(exact) && has_avx512_bf16())
        return few_bits_do ? attention_amx_bf16 : attention_amx_bf16x2;
    if (few_bits_do && paired && has_avx512_bf16())
        return attention_avx512_bf16;
    return wide && __builtin_cpu_supports("avx512vnni") ? attention_avx512_int16 : in_f32;
}

static int choose(enum precision wanted, const struct kernels *exact, enum where where, struct reduced *chosen)
{
    const struct reduced *linear = choose_linear(wanted, exact, where);
    if (!linear)
        return 0;
    *chosen = *linear;
    chosen->attention = choose_attention(chosen->precision, exact, where);
    return 1;
}
#else
static int choose(enum precision wanted, const struct kernels *exact, enum where where, struct reduced *chosen)
{
    (void)wanted, (void)exact, (void)where, (void)chosen;
    return 0;
}
#endif

int reduced_choose(enum precision wanted, struct reduced chosen[2])
{
    struct reason why;
    const struct kernels *exact = kernels_choose(&why); /* NULL where KERNELS names none: whoever opens an encoder says so */
    if (!exact || !choose(wanted, exact, LATE, &chosen[LATE]))
        return 0;
    if (chosen[LATE].precision == PRECISION_INT8 && choose(PRECISION_BF16, exact, EARLY, &chosen[EARLY])) {
        chosen[EARLY].parts = 1; /* what parts would gain is lost beside 8 bits */
        return 1;
    }
    return choose(wanted, exact, EARLY, &chosen[EARLY]);
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
    struct reduced chosen[2];
    return reduced_choose(wanted, chosen) ? chosen[LATE].precision : PRECISION_F32;
}
