/* Layer normalization of a row, for a file that has included vectors.h and defined vector_sum. */
#include <math.h>

/* The sum over a row of x - less, or of its square. In several chains, because one alone would wait for every addition. */
INLINE float row_sum(const int squared, size_t width, const float *x, float less)
{
    enum { CHAINS = 4 };
    vector chains[CHAINS] = {{0}};
    float rest = 0;
    size_t j = 0;
    for (; j + CHAINS * LANES <= width; j += CHAINS * LANES)
        UNROLL for (size_t i = 0; i < CHAINS; i++) {
            const vector v = load(x + j + i * LANES) - all(less);
            chains[i] += squared ? v * v : v;
        }
    for (; j + LANES <= width; j += LANES) {
        const vector v = load(x + j) - all(less);
        chains[0] += squared ? v * v : v;
    }
    for (; j < width; j++)
        rest += squared ? (x[j] - less) * (x[j] - less) : x[j] - less;
    return vector_sum((chains[0] + chains[1]) + (chains[2] + chains[3])) + rest;
}

/* x = (x - mean) * factor * gain + bias, to `copy` too, of at most NORM_ROWS rows; factor = 1 / sqrt(variance + epsilon) is noted. Each step is made of all rows before the next one,
 * because a row alone would wait for its sums, its root and its quotients. */
enum { NORM_ROWS = 8 };
INLINE void layer_norm_rows(size_t rows, size_t width, float *x, size_t stride, const float *gain, const float *bias, float epsilon, float *copy, size_t copy_stride, float *factor)
{
    float mean[NORM_ROWS];
    for (size_t i = 0; i < rows; i++)
        mean[i] = row_sum(0, width, x + i * stride, 0) / (float)width;
    for (size_t i = 0; i < rows; i++)
        factor[i] = 1 / sqrtf(row_sum(1, width, x + i * stride, mean[i]) / (float)width + epsilon);
    for (size_t i = 0; i < rows; i++, x += stride, copy += copy_stride) {
        size_t j = 0;
        for (; j + LANES <= width; j += LANES) {
            const vector v = (load(x + j) - all(mean[i])) * all(factor[i]) * load(gain + j) + load(bias + j);
            store(x + j, v);
            store(copy + j, v);
        }
        for (; j < width; j++)
            copy[j] = x[j] = (x[j] - mean[i]) * factor[i] * gain[j] + bias[j];
    }
}
