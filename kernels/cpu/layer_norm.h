/* Layer normalization of a row, for a file that has included vectors.h and defined vector_sum. */
#include <math.h>

INLINE vector centred_square(float *x, float mean)
{
    const vector v = load(x) - all(mean);
    store(x, v);
    return v * v;
}

/* The sum over a row; or x -= mean, and the sum of its square. In several chains, because one alone would wait for every addition. */
INLINE float row_sum(const int centre, size_t width, float *x, float mean)
{
    enum { CHAINS = 4 };
    vector chains[CHAINS] = {{0}};
    float rest = 0;
    size_t j = 0;
    for (; j + CHAINS * LANES <= width; j += CHAINS * LANES)
        UNROLL for (size_t i = 0; i < CHAINS; i++)
            chains[i] += centre ? centred_square(x + j + i * LANES, mean) : load(x + j + i * LANES);
    for (; j + LANES <= width; j += LANES)
        chains[0] += centre ? centred_square(x + j, mean) : load(x + j);
    for (; j < width; j++) {
        x[j] -= centre ? mean : 0;
        rest += centre ? x[j] * x[j] : x[j];
    }
    return vector_sum((chains[0] + chains[1]) + (chains[2] + chains[3])) + rest;
}

/* x = (x - mean) * factor * gain + bias, to `copy` too, of at most NORM_ROWS rows; factor = 1 / sqrt(variance + epsilon) is noted. Each step is made of
 * all rows before the next one, because a row alone would wait for its sums, its root and its quotients. */
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
            const vector v = load(x + j) * all(factor[i]) * load(gain + j) + load(bias + j);
            store(x + j, v);
            store(copy + j, v);
        }
        for (; j < width; j++)
            copy[j] = x[j] = x[j] * factor[i] * gain[j] + bias[j];
    }
}
