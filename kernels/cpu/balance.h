/* Numbers of a row that are large where weights are small take precision from the others, if a row is rounded with one unit. So what is a layer norm's result is balanced with the
 * weights of the linear layer behind it: number j is divided, and each output's weight j multiplied, by s[j] = sqrt(a[j] / w[j]) (but for a factor
 * that all have), a[j] its root mean square, w[j] that of the weights, which makes the product of both rows' lengths the least (SmoothQuant, Xiao et al. 2023, arXiv 2211.10438, has s for measured a). Nothing is measured here:
 * a layer norm's numbers before its gain have a mean square of 1, so a = sqrt(gain^2 + bias^2), if they have no mean of their own. */
#ifndef REPRISE_BALANCE_H
#define REPRISE_BALANCE_H

#include <stddef.h>

/* Adds to squares [inputs] those of some of the weights [outputs, inputs]: of every fourth output, which is enough to know. */
void balance_add(size_t inputs, size_t outputs, const float *weights, float *squares);

/* From the squares of all weights: rows [inputs] times 1 / s, weights [inputs] times s. */
void balance(size_t inputs, const float *gain, const float *bias, const float *squares, float *rows, float *weights);

#endif
