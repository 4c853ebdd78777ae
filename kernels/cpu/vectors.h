/* What all kernels do with vectors, for a file that has defined vector and LANES (kernels_source.h, reduced_source.h). Vectors are those of the compiler
 * (GCC and clang), so arithmetic is written once. */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__ /* which does not know the other one, and without it leaves a tile of more than a few rows in memory, at a third of the speed */
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vector load(const float *at)
{
    vector v;
    memcpy(&v, at, sizeof v);
    return v;
}

INLINE void store(float *at, vector v)
{
    memcpy(at, &v, sizeof v);
}

INLINE vector all(float x)
{
    return x - (vector){0};
}

INLINE vector load_some(const float *at, size_t count)
{
    float lanes[LANES] = {0};
    memcpy(lanes, at, count * sizeof *at);
    return load(lanes);
}

INLINE void store_some(float *at, vector v, size_t count)
{
    memcpy(at, &v, count * sizeof *at);
}
