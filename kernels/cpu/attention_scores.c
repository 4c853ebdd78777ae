#if defined(__AVX512VNNI__)
#include "attention_scores.h"

#include <math.h>

#include "avx512_vectors.h"

typedef integers sums;
#define INT16
#define GROUP 2
#define ROWS 14
#define WIDTH 2
#define PANEL (WIDTH * LANES)
#define STEP_BYTES 4
#define dot(sum, x, weights) ((sums)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(weights)))

#include "vectors.h"
#include "reduced_gelu.h"
#include "register_tile.h"

_Static_assert(ROWS == SCORE_ROWS && PANEL == SCORE_COLUMNS, "the tile");

float attention_score_most(size_t head_size)
{
    const float most = floorf(sqrtf(2147483648.0f / (float)head_size)) - 1;
    return most < 32767 ? most : 32767;
}

void attention_scores(size_t rows, size_t steps, const char *queries, size_t stride, const float *query_scale, const char *keys, const float *key_scale, float *scores, size_t score_stride)
{
    static const float no_bias[PANEL];
    const struct finish finish = {.then = TILE_STORE, .bias = no_bias, .weight_scale = key_scale, .scale = query_scale, .y = scores, .y_stride = score_stride, .columns = PANEL};
    product_tile(rows, steps, queries, stride, keys, (struct ahead){keys, 0}, &finish);
}
#endif
