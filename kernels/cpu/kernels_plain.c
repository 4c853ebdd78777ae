/* Any machine: vectors of four floats (SSE2 on x86-64, NEON on ARM), 16 registers or more. */
#include <stdint.h>

typedef float vector __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(16)));

static inline vector vector_larger(vector a, vector b)
{
    integers first = a > b;
    return (vector)(((integers)a & first) | ((integers)b & ~first));
}

static inline float vector_sum(vector a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}

static inline float vector_largest(vector a)
{
    float even = a[0] > a[2] ? a[0] : a[2], odd = a[1] > a[3] ? a[1] : a[3];
    return even > odd ? even : odd;
}

#define vector_low_pairs(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define vector_high_pairs(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LANES 4
#define ROWS 4
#define WIDTH 2
#define KERNELS_NAME plain
#define KERNELS_SET "plain"
#include "kernels_source.h"
