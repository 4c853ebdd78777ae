/* The products where a processor adds beside its multipliers (AMD since Zen: two pipes that multiply, two others that add). Of every three
 * inputs two are multiplied as a pair and one as usual. S. Winograd, A New Algorithm for Inner Product, IEEE Transactions on Computers C-17 (1968):
 *   x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1.
 * The last two products are summed once a row of x and once a row of W (pair_sum), so a pair costs one multiplication and two additions. By pairs and singles in
 * turn, three inputs cost two multiplications and two additions, as many as both kinds of pipes do at a time: half as many again as by multiply-adds alone. Two inputs that
 * are left over are a pair.
 *
 * What it costs in accuracy: x0 x1 and w0 w1 come into the sum and go out of it again. They do little harm while x and W are of one size, so each output's weights are
 * brought to 0.125 .. 0.25 in the mean, which is what activations are of (by a power of two, which rounds nothing).
 *
 * Attention's products likewise. Of scores, softmax takes away what a whole row has in common, so the sums of queries are not needed, and keys are brought to the size of
 * queries. Exponentials, of which the largest is 1, are mostly near 0 or mostly near 1; each row is brought to a size of its own (share_scale), and values to 1/32 .. 1/16.
 * Measured against double precision, with 272 texts, all-MiniLM-L6-v2 and all-mpnet-base-v2: an embedding's numbers have an error of 6.0e-8 (root of the mean square), 5.7e-8 with
 * multiply-adds in attention. With exponentials left as they are it was 6.6e-8, and four times as large where attention is even over 512 tokens.
 * Included by kernels_source.h. */

#include "paired_step.h"

_Static_assert(LANES == 16 && LINEAR_WIDTH == 2, "pair_sum counts in lanes; with AVX2's 16 registers of half the width, products by pairs were slower than others");

/* Sums of v[i] v[i + 1], lane by lane, of blocks of three vectors: in the first, the second, the third. */
struct chains { vector of[3]; };

INLINE void add_block(struct chains *chains, const vector block[3])
{
    chains->of[0] += block[0] * shifted(block[0], block[1]);
    chains->of[1] += block[1] * shifted(block[1], block[2]);
    chains->of[2] += block[2] * shifted(block[2], block[2]);
}

/* Of these, the sum of those that begin a pair, v[3 t] v[3 t + 1]. */
INLINE float sum_of_pairs(const struct chains *chains)
{
    static const float third[LANES + 2] = {[2] = 1, [5] = 1, [8] = 1, [11] = 1, [14] = 1, [17] = 1};
    return vector_sum(chains->of[0] * load(third + 2) + chains->of[1] * load(third) + chains->of[2] * load(third + 1));
}

enum { BLOCK = 3 * LANES };

/* The sum of v[3 t] v[3 t + 1] in v [k]. */
static float pair_sum(size_t k, const float *v)
{
    struct chains chains = {{{0}}};
    size_t i = 0;
    for (; i + BLOCK <= k; i += BLOCK)
        add_block(&chains, (vector[]){load(v + i), load(v + i + LANES), load(v + i + 2 * LANES)});
    if (i < k) {
        float rest[BLOCK] = {0};
        memcpy(rest, v + i, (k - i) * sizeof *v);
        add_block(&chains, (vector[]){load(rest), load(rest + LANES), load(rest + 2 * LANES)});
    }
    return sum_of_pairs(&chains);
}

/* The sum of the sizes of v [k]. */
static float size_sum(size_t k, const float *v)
{
    size_t p = 0;
    vector sum = all(0);
    for (; p + LANES <= k; p += LANES)
        sum += vector_larger(load(v + p), -load(v + p));
    if (p < k)
        sum += vector_larger(load_some(v + p, k - p), -load_some(v + p, k - p));
    return vector_sum(sum);
}

/* The power of two that brings numbers to 0.125 .. 0.25, given the mean of their sizes (not of their squares, which a few large ones would rule), within what a float holds. */
static float pair_scale(float mean)
{
    int exponent = 0;
    if (isfinite(mean))
        frexpf(mean, &exponent);
    return ldexpf(1, -2 - (exponent < -60 ? -60 : exponent > 60 ? 60 : exponent));
}

/* One step over three k for every element of the tile; rows as in multiply_step. */
INLINE void multiply_three(const size_t rows, const char *const *third, size_t stride, size_t p, const float *b, vector tile[VECTORS])
{
    vector first[LINEAR_WIDTH], second[LINEAR_WIDTH], single[LINEAR_WIDTH];
    load_panel(LINEAR_WIDTH, b, p, first);
    load_panel(LINEAR_WIDTH, b, p + 1, second);
    load_panel(LINEAR_WIDTH, b, p + 2, single);
    UNROLL for (size_t i = 0; i < rows; i++)
        PAIRED_STEP("vaddps", "vfmadd231ps", tile + i * LINEAR_WIDTH, third[i / 3] + i % 3 * stride + p * sizeof *b, first, second, single);
}

/* One over two. */
INLINE void multiply_pair(const size_t rows, const char *const *third, size_t stride, size_t p, const float *b, vector tile[VECTORS])
{
    vector first[LINEAR_WIDTH], second[LINEAR_WIDTH];
    load_panel(LINEAR_WIDTH, b, p, first);
    load_panel(LINEAR_WIDTH, b, p + 1, second);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const char *at = third[i / 3] + i % 3 * stride + p * sizeof *b;
        const vector x0 = broadcast(at), x1 = broadcast(at + sizeof *b);
        UNROLL for (size_t j = 0; j < LINEAR_WIDTH; j++)
            tile[i * LINEAR_WIDTH + j] = fused(x0 + second[j], x1 + first[j], tile[i * LINEAR_WIDTH + j]);
    }
}

/* One tile; `columns` of the panel's are stored. */
INLINE void paired_rows(const size_t rows, const size_t width, size_t k, const float *a, size_t a_stride, const float *b, struct ahead ahead, const struct finish *finish,
                        float *c, size_t c_stride, size_t columns)
{
    vector tile[VECTORS];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < width; j++)
            tile[i * width + j] = -load(finish->column_sums + j * LANES) - all(finish->row_sums ? finish->row_sums[i] : 0);
    const char *third[(ROWS + 2) / 3];
    const size_t stride = a_stride * sizeof *a;
    address_rows(rows, (const char *)a, stride, third);
    size_t p = 0;
    for (; p + AT_A_TIME <= k; p += AT_A_TIME) {
        fetch_ahead(&ahead);
        multiply_three(rows, third, stride, p, b, tile);
    }
    if (p + 2 <= k) {
        multiply_pair(rows, third, stride, p, b, tile);
        p += 2;
    }
    if (p < k)
        multiply_step(rows, width, third, stride, p, b, tile);
    if (finish->unscale)
        UNROLL for (size_t i = 0; i < rows; i++)
            UNROLL for (size_t j = 0; j < width; j++)
                tile[i * width + j] = tile[i * width + j] * load(finish->unscale + j * LANES) + load(finish->bias + j * LANES);
    else if (finish->factors)
        UNROLL for (size_t i = 0; i < rows; i++)
            UNROLL for (size_t j = 0; j < width; j++)
                tile[i * width + j] *= all(finish->factors[i]);
    store_tile(rows, width, finish->add, tile, c, c_stride, columns);
}

TILE_FUNCTION(linear_tile, paired_rows, ROWS, WIDTH)
#define head_tile linear_tile

static float note_output(const struct linear *layer, const float *weights, size_t output)
{
    const float scale = pair_scale(size_sum(layer->inputs, weights) / (float)layer->inputs);
    layer->unscale[output] = 1 / scale;
    layer->pair_sums[output] = pair_sum(layer->inputs, weights) * scale * scale;
    return scale;
}

INLINE vector weight_scale(const struct linear *layer, size_t output)
{
    return all(1) / load(layer->unscale + output);
}

static void row_sums(size_t rows, size_t k, const float *x, size_t stride, float *sums)
{
    for (size_t i = 0; i < rows; i++)
        sums[i] = pair_sum(k, x + i * stride);
}

static void panel_sums(size_t columns, size_t k, const float *panels, float *sums)
{
    for (size_t j = 0; j < columns; j += PANEL, panels += k * PANEL)
        for (size_t lane = 0; lane < PANEL; lane += LANES) {
            vector sum = all(0);
            for (size_t p = 0; p + 2 <= k; p += 3)
                sum += load(panels + p * PANEL + lane) * load(panels + (p + 1) * PANEL + lane);
            store(sums + j + lane, sum);
        }
}

/* pair_scale of [tokens, head_size], judged by four of the rows. */
static float rows_scale(size_t tokens, size_t head_size, const float *rows, size_t stride)
{
    float sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += size_sum(head_size, rows + (tokens - 1) * i / 3 * stride);
    return pair_scale(sum / (float)(4 * head_size));
}

static void scale_head(size_t tokens, size_t head_size, const float *queries, const float *keys, const float *values, size_t stride, struct head *head)
{
    head->key_scale = rows_scale(tokens, head_size, keys, stride) / rows_scale(tokens, head_size, queries, stride);
    head->value_scale = rows_scale(tokens, head_size, values, stride) / 4;
}

/* The power of two that brings a row's exponentials, of which the largest is 1, to a quarter or so in the mean of their squares, taken to be as large as the mean. */
INLINE float share_scale(size_t tokens, float share)
{
    const float inverse = (float)tokens * share; /* of that mean, 1 .. tokens but for rounding */
    uint32_t bits;
    memcpy(&bits, &inverse, sizeof bits);
    const int exponent = (int)(bits >> 23) - 127;
    bits = (uint32_t)(exponent / 2 - 2 + 127) << 23; /* a quarter of the root */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

/* x times `scale`; the sum of its pairs is returned. Behind x [columns] there may be numbers that are next to nothing, up to whole panels. */
INLINE float scale_and_sum(size_t columns, float *x, float scale)
{
    struct chains chains = {{{0}}};
    for (size_t j = 0; j < columns; j += BLOCK) {
        vector block[3] = {{0}};
        UNROLL for (size_t i = 0; i < 3; i++)
            if (j + i * LANES < columns)
                store(x + j + i * LANES, block[i] = load(x + j + i * LANES) * all(scale));
        add_block(&chains, block);
    }
    return sum_of_pairs(&chains);
}

static void scale_shares(size_t rows, size_t columns, float *x, size_t stride, const struct head *head, float *shares, float *sums)
{
    for (size_t i = 0; i < rows; i++) {
        const float scale = share_scale(columns, shares[i]);
        sums[i] = scale_and_sum(columns, x + i * stride, scale);
        shares[i] /= scale * head->value_scale;
    }
}
