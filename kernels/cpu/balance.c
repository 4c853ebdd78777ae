#include "balance.h"

#include <math.h>

enum { ONE_OF = 4 };
static const float MOST = 8; /* s is from 1 / MOST to MOST: activations may be far from what a layer norm's gain says */

void balance_add(size_t inputs, size_t outputs, const float *weights, float *squares)
{
    for (size_t o = 0; o < outputs; o += ONE_OF)
        for (size_t j = 0; j < inputs; j++)
            squares[j] += weights[o * inputs + j] * weights[o * inputs + j];
}

void balance(size_t inputs, const float *gain, const float *bias, const float *squares, float *rows, float *weights)
{
    float all_rows = 0, all_weights = 0;
    for (size_t j = 0; j < inputs; j++) {
        all_rows += gain[j] * gain[j] + bias[j] * bias[j];
        all_weights += squares[j];
    }
    for (size_t j = 0; j < inputs; j++) {
        const float s = sqrtf(sqrtf((gain[j] * gain[j] + bias[j] * bias[j]) / squares[j] * (all_weights / all_rows)));
        const float held = isnan(s) ? 1 : s > MOST ? MOST : s < 1 / MOST ? 1 / MOST : s;
        rows[j] /= held;
        weights[j] *= held;
    }
}
