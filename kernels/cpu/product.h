/* The product of matrices: a tile of `rows` rows and `width` vectors of columns stays in registers while k goes over a packed panel. Both are constants where a function is
 * inlined. There are two shapes: attention's, ROWS x WIDTH, whose panels are as narrow as a head; and that of linear layers, LINEAR_ROWS x LINEAR_WIDTH. Included by
 * kernels_source.h. */

/* Element (i, j) is tile[i * width + j]. */
#define VECTORS (ROWS * WIDTH > LINEAR_ROWS * LINEAR_WIDTH ? ROWS * WIDTH : LINEAR_ROWS * LINEAR_WIDTH)

#include "ahead.h"
#include "row_addresses.h"

/* The number at `at`, in all lanes. As an integer: for Zen 4 loads VPBROADCASTD and does no more, but VBROADCASTSS takes time of its adders, which pairs need. */
INLINE vector broadcast(const char *at)
{
    int32_t number;
    memcpy(&number, at, sizeof number);
    return (vector)(number - (integers){0});
}

INLINE void load_panel(const size_t width, const float *b, size_t p, vector panel[LINEAR_WIDTH])
{
    UNROLL for (size_t j = 0; j < width; j++)
        panel[j] = load(b + (p * width + j) * LANES);
}

/* One step of k for every element of the tile; `stride` in bytes. */
INLINE void multiply_step(const size_t rows, const size_t width, const char *const *third, size_t stride, size_t p, const float *b, vector tile[VECTORS])
{
    vector panel[LINEAR_WIDTH];
    load_panel(width, b, p, panel);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const vector x = broadcast(third[i / 3] + i % 3 * stride + p * sizeof *b);
        UNROLL for (size_t j = 0; j < width; j++)
            tile[i * width + j] += x * panel[j];
    }
}

/* The multiply-adds of one tile: a [rows, k] times one panel b [k, width * LANES]. */
INLINE void multiply(const size_t rows, const size_t width, size_t k, const float *a, size_t a_stride, const float *b, struct ahead ahead, vector tile[VECTORS])
{
    const char *third[(ROWS + 2) / 3];
    const size_t stride = a_stride * sizeof *a;
    address_rows(rows, (const char *)a, stride, third);
    size_t p = 0;
    for (; p + AT_A_TIME <= k; p += AT_A_TIME) {
        fetch_ahead(&ahead);
        UNROLL for (size_t q = 0; q < AT_A_TIME; q++)
            multiply_step(rows, width, third, stride, p + q, b, tile);
    }
    for (; p < k; p++)
        multiply_step(rows, width, third, stride, p, b, tile);
}

/* What becomes of a tile: c = a b + bias, or c += a b + bias; each row times its factor, unless `factors` [rows] is NULL. */
struct finish {
    const float *bias, *factors;
    int add;
    const float *row_sums, *column_sums, *unscale; /* used by paired_product.h alone: [rows], or NULL for zeros; [panel]; [panel], or NULL */
};

/* c [rows, columns] = tile, or c += tile */
INLINE void store_tile(const size_t rows, const size_t width, const int add, vector tile[VECTORS], float *c, size_t c_stride, size_t columns)
{
    if (columns == width * LANES) {
        UNROLL for (size_t i = 0; i < rows; i++)
            UNROLL for (size_t j = 0; j < width; j++) {
                float *at = c + i * c_stride + j * LANES;
                store(at, add ? load(at) + tile[i * width + j] : tile[i * width + j]);
            }
        return;
    }
    float whole[VECTORS * LANES];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < width; j++)
            store(whole + (i * width + j) * LANES, tile[i * width + j]);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            const float sum = whole[i * width * LANES + j];
            c[i * c_stride + j] = add ? c[i * c_stride + j] + sum : sum;
        }
}

/* One tile; `columns` of the panel's are stored. */
INLINE void product_rows(const size_t rows, const size_t width, size_t k, const float *a, size_t a_stride, const float *b, struct ahead ahead, const struct finish *finish,
                         float *c, size_t c_stride, size_t columns)
{
    vector tile[VECTORS];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < width; j++)
            tile[i * width + j] = finish->bias ? load(finish->bias + j * LANES) : all(0);
    multiply(rows, width, k, a, a_stride, b, ahead, tile);
    if (finish->factors)
        UNROLL for (size_t i = 0; i < rows; i++)
            UNROLL for (size_t j = 0; j < width; j++)
                tile[i * width + j] *= all(finish->factors[i]);
    store_tile(rows, width, finish->add, tile, c, c_stride, columns);
}

/* Defines the function `name` for tiles of up to `most` rows, each number of them made by `product`. */
#define TILE_FUNCTION(name, product, most, width) \
    static __attribute__((noinline)) void name(size_t rows, size_t k, const float *a, size_t a_stride, const float *b, struct ahead ahead, const struct finish *finish, float *c, \
                                               size_t c_stride, size_t columns) \
    { \
        switch (rows) { \
            EACH_ROWS(TILE_CASE, product, most, width) \
        default: break; \
        } \
    }
#define TILE_CASE(n, product, most, width) \
    case n: \
        if (n <= most) \
            product(n <= most ? n : most, width, k, a, a_stride, b, ahead, finish, c, c_stride, columns); \
        break;

/* Keys and values of an attention head, packed into panels, times `key_scale` and `value_scale`. */
struct head {
    float *keys, *values;
    float *key_sums, *value_sums; /* used by paired_product.h alone: of each column */
    float key_scale, value_scale;
};

/* ---- what products need beside them; see paired_product.h, where this is otherwise ---- */

#ifndef PAIRED
TILE_FUNCTION(head_tile, product_rows, ROWS, WIDTH)
TILE_FUNCTION(linear_tile, product_rows, LINEAR_ROWS, LINEAR_WIDTH)

/* Notes in `layer` what the product needs to know of a row of weights. What they are multiplied by before they are packed is returned. */
static float note_output(const struct linear *layer, const float *weights, size_t output)
{
    (void)layer, (void)weights, (void)output;
    return 1;
}

/* The same for LANES outputs. */
INLINE vector weight_scale(const struct linear *layer, size_t output)
{
    (void)layer, (void)output;
    return all(1);
}

/* Notes what the product needs to know of each row of x. */
static void row_sums(size_t rows, size_t k, const float *x, size_t stride, float *sums)
{
    (void)rows, (void)k, (void)x, (void)stride, (void)sums;
}

/* The same of each column of panels [columns / PANEL, k, PANEL]. */
static void panel_sums(size_t columns, size_t k, const float *panels, float *sums)
{
    (void)columns, (void)k, (void)panels, (void)sums;
}

/* By what keys and values, [tokens, head_size] like queries, are multiplied. */
static void scale_head(size_t tokens, size_t head_size, const float *queries, const float *keys, const float *values, size_t stride, struct head *head)
{
    (void)tokens, (void)head_size, (void)queries, (void)keys, (void)values, (void)stride;
    head->key_scale = head->value_scale = 1;
}

/* What the product needs of rows of exponentials x [rows, columns], of which `shares` are the inverse sums: they may be multiplied, and shares are divided by what they and
 * values were multiplied with. */
static void scale_shares(size_t rows, size_t columns, float *x, size_t stride, const struct head *head, float *shares, float *sums)
{
    (void)rows, (void)columns, (void)x, (void)stride, (void)head, (void)shares, (void)sums;
}
#endif
