/* What all kernels do with vectors, for a file that has defined vector and LANES (kernels_source.h, reduced_source.h). Vectors are those of the compiler
 * (GCC and clang), so arithmetic is written once. */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__ /* which does not know the other one, and without it leaves a tile of more than a few rows in memory, at a third of the speed */
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Here the vector v stands in a register: it is computed before what follows, and read from memory once. */
#define in_register(v) __asm__("" : "+v"(v))

/* Numbers of rows that a tile may have, each a constant in the code for it: CASE(1, …), CASE(2, …) and so on. */
#define EACH_ROWS(CASE, ...) \
    CASE(1, __VA_ARGS__) CASE(2, __VA_ARGS__) CASE(3, __VA_ARGS__) CASE(4, __VA_ARGS__) CASE(5, __VA_ARGS__) CASE(6, __VA_ARGS__) CASE(7, __VA_ARGS__) \
    CASE(8, __VA_ARGS__) CASE(9, __VA_ARGS__) CASE(10, __VA_ARGS__) CASE(11, __VA_ARGS__) CASE(12, __VA_ARGS__) CASE(13, __VA_ARGS__) CASE(14, __VA_ARGS__)

/* Rows are shared out evenly among as few tiles as hold them: a small last tile would take longer than its rows are worth. */
INLINE size_t tiles_of(size_t rows, size_t most)
{
    return (rows + most - 1) / most;
}

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
