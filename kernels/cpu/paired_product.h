/* The product of linear layers where a processor adds beside its multipliers (AMD since Zen: two pipes that multiply, two others that add). Of every three
 * inputs two are multiplied as a pair and one as usual. S. Winograd, A New Algorithm for Inner Product, IEEE Transactions on Computers C-17 (1968):
 *   x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1.
 * The last two products are summed once a row of x and once a row of W (pair_sum), so a pair costs one multiplication and two additions. By pairs and singles in
 * turn, three inputs cost two multiplications and two additions, as many as both kinds of pipes do at a time: half as many again as by multiply-adds alone.
 *
 * What it costs in accuracy: x0 x1 and w0 w1 come into the sum and go out of it again. They do little harm while x and W are of one size, so each output's weights are
 * brought to 0.125 .. 0.25 in the mean, which is what activations are of (by a power of two, which rounds nothing).
 * Included by kernels_source.h. */

_Static_assert(LANES == 16, "pair_sum counts in lanes; with AVX2's 16 registers of half the width, products by pairs were slower than others");

/* The sum of v[3 t] v[3 t + 1] over whole triples of v [k]. */
static float pair_sum(size_t k, const float *v)
{
    enum { BLOCK = 3 * LANES };
    static const float third[LANES + 2] = {[0] = 1, [3] = 1, [6] = 1, [9] = 1, [12] = 1, [15] = 1};
    /* The lanes of a block's three vectors that begin a pair; in the last vector, that end one, for nothing behind the row is read. */
    const vector first = load(third), others = load(third + 1);
    vector a = all(0), b = all(0), c = all(0);
    size_t i = 0;
    for (; i + BLOCK <= k; i += BLOCK) {
        a += load(v + i) * load(v + i + 1);
        b += load(v + i + LANES) * load(v + i + LANES + 1);
        c += load(v + i + 2 * LANES) * load(v + i + 2 * LANES - 1);
    }
    float rest = 0;
    for (; i + 3 <= k; i += 3)
        rest += v[i] * v[i + 1];
    return vector_sum(a * first + (b + c) * others) + rest;
}

/* The power of two that brings a row of weights [k] to 0.125 .. 0.25 in the mean of their sizes, within what a float holds. Not in that of their squares, which a few large
 * ones would rule. */
static float pair_scale(size_t k, const float *weights)
{
    int exponent = 0;
    size_t p = 0;
    vector sum = all(0);
    for (; p + LANES <= k; p += LANES)
        sum += vector_larger(load(weights + p), -load(weights + p));
    if (p < k)
        sum += vector_larger(load_some(weights + p, k - p), -load_some(weights + p, k - p));
    const float mean = vector_sum(sum) / (float)k;
    if (isfinite(mean))
        frexpf(mean, &exponent);
    return ldexpf(1, -2 - (exponent < -60 ? -60 : exponent > 60 ? 60 : exponent));
}

/* sum += a b, in the register where the sum is: clang would rather overwrite a factor and move the tile about. */
INLINE void multiply_add(vector *sum, vector a, vector b)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

/* One step over three k for every element of the tile; rows as in multiply_step. */
INLINE void multiply_triple(const size_t rows, const size_t width, const char *const *third, size_t stride, size_t p, const float *b, vector tile[VECTORS])
{
    vector panel[3][LINEAR_WIDTH];
    UNROLL for (size_t q = 0; q < 3; q++)
        UNROLL for (size_t j = 0; j < width; j++)
            panel[q][j] = load(b + ((p + q) * width + j) * LANES);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const char *at = third[i / 3] + i % 3 * stride + p * sizeof *b;
        const vector x0 = broadcast(at), x1 = broadcast(at + sizeof *b), x2 = broadcast(at + 2 * sizeof *b);
        UNROLL for (size_t j = 0; j < width; j++) {
            multiply_add(&tile[i * width + j], x0 + panel[1][j], x1 + panel[0][j]);
            multiply_add(&tile[i * width + j], x2, panel[2][j]);
        }
    }
}

/* One tile; `columns` of the panel's are stored. */
INLINE void paired_rows(const size_t rows, const size_t width, size_t k, const float *a, size_t a_stride, const float *b, struct ahead ahead, const struct finish *finish,
                        float *c, size_t c_stride, size_t columns)
{
    vector tile[VECTORS];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < width; j++)
            tile[i * width + j] = -load(finish->column_sums + j * LANES) - all(finish->row_sums[i]);
    const char *third[(ROWS + 2) / 3];
    const size_t stride = a_stride * sizeof *a;
    address_rows(rows, a, a_stride, third);
    size_t p = 0;
    for (; p + AT_A_TIME <= k; p += AT_A_TIME) {
        fetch_ahead(&ahead);
        multiply_triple(rows, width, third, stride, p, b, tile);
    }
    for (; p < k; p++)
        multiply_step(rows, width, third, stride, p, b, tile);
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < width; j++)
            tile[i * width + j] = tile[i * width + j] * load(finish->unscale + j * LANES) + load(finish->bias + j * LANES);
    store_tile(rows, width, finish->add, tile, c, c_stride, columns);
}

TILE_FUNCTION(linear_tile, paired_rows, LINEAR_ROWS, LINEAR_WIDTH)

static float note_output(const struct linear *layer, const float *weights, size_t output)
{
    const float scale = pair_scale(layer->inputs, weights);
    layer->unscale[output] = 1 / scale;
    layer->pair_sums[output] = pair_sum(layer->inputs, weights) * scale * scale;
    return scale;
}

static void row_sums(size_t rows, size_t k, const float *x, size_t stride, float *sums)
{
    for (size_t i = 0; i < rows; i++)
        sums[i] = pair_sum(k, x + i * stride);
}
