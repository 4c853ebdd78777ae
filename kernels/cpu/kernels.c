#include "kernels.h"

#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
extern const struct kernels kernels_avx512, kernels_avx2;
#endif

const struct kernels *kernels_available(size_t index)
{
    const struct kernels *available[4] = {NULL};
    size_t count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        available[count++] = &kernels_avx512;
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
