#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#include "amx.h"

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
#include <cpuid.h>

extern const struct kernels kernels_avx512_paired, kernels_avx512, kernels_avx2;

/* On AMX tiles linear layers are those of reduced.h, in every precision; all else is by AVX-512. */
static const struct kernels *avx512_beside_tiles(void)
{
    static struct kernels kernels;
    kernels = kernels_avx512;
    kernels.name = "amx";
    return &kernels;
}

/* Does the processor have adders beside its multipliers, so that products by pairs (paired_product.h) are faster? AMD's since Zen (family 23) and what descends
 * from it; Intel's multiply and add in the same pipes. */
static int adds_beside_multipliers(void)
{
    unsigned a, b, c, d;
    char vendor[12];
    if (!__get_cpuid(0, &a, &b, &c, &d))
        return 0;
    memcpy(vendor, &b, 4), memcpy(vendor + 4, &d, 4), memcpy(vendor + 8, &c, 4);
    if (memcmp(vendor, "AuthenticAMD", 12) != 0 && memcmp(vendor, "HygonGenuine", 12) != 0)
        return 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    const unsigned family = a >> 8 & 15;
    return family + (family == 15 ? a >> 20 & 255 : 0) >= 23;
}
#endif

const struct kernels *kernels_available(size_t index)
{
    const struct kernels *available[6] = {NULL};
    size_t count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        if (amx_available() && __builtin_cpu_supports("avx512vbmi"))
            available[count++] = avx512_beside_tiles();
        const int paired_first = adds_beside_multipliers();
        available[count++] = paired_first ? &kernels_avx512_paired : &kernels_avx512;
        available[count++] = paired_first ? &kernels_avx512 : &kernels_avx512_paired;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        available[count++] = &kernels_avx2;
#endif
    available[count++] = &kernels_plain;
    return index < count ? available[index] : NULL;
}

const struct kernels *kernels_choose(struct reason *why)
{
    const char *wanted = getenv("KERNELS");
    if (!wanted || !*wanted)
        return kernels_available(0);
    for (size_t i = 0; kernels_available(i); i++)
        if (strcmp(kernels_available(i)->name, wanted) == 0)
            return kernels_available(i);
    fail(why, "KERNELS=%s: not an instruction set of this machine that the program was built for", wanted);
    return NULL;
}
