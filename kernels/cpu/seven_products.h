/* Linear layers where products are made by pairs: seven products of halves instead of eight (V. Strassen, Gaussian Elimination is not Optimal, Numerische Mathematik 13, 1969).
 * Rows are taken by twos, an upper one and a lower one, inputs as a first and a second half, and the outputs of two panels as left and right ones; with a the rows, b the weights, c the sums,
 *   0  (a10 + a11) b00           c10 = 0 + 1           c00 upper left, c01 upper right, c10 lower left, c11 lower right
 *   1  a11 (b10 - b00)           c01 = 2 + 3
 *   2  (a00 + a01) b11           c00 = 1 - 2 + 4 + 5
 *   3  a00 (b01 - b11)           c11 = 3 - 0 + 4 + 6
 *   4  (a00 + a11) (b00 + b11)
 *   5  (a01 - a11) (b10 + b11)
 *   6  (a10 - a00) (b00 + b01)
 * In this order four products' sums are all that must be kept at a time, five in all, and a quarter is finished from registers. Rows are added and subtracted once they are rounded, weights while
 * the first rows are multiplied with them, so they take no more memory than they did. Sums are exact, modulo 2^32, so results have the bits of plain products, and which row stands beside a row
 * makes no difference.
 *
 * Measured on Zen 4: products 5 to 9 % faster (of the 14 % that would be saved, storing sums costs most of the rest), whole models 3 to 4 %. Included by reduced_source.h. */
#include "register_tile.h"
#include "paired_step.h"

enum { PRODUCTS = 7, QUARTERS = 4, LINE = 64 };

/* Steps of half the inputs. */
INLINE size_t half_steps(size_t width)
{
    return (width + 2 * GROUP - 1) / (2 * GROUP);
}

/* What half a row takes, or a sum of two. */
INLINE size_t half_bytes(size_t width)
{
    return (half_steps(width) * STEP_BYTES + LINE - 1) / LINE * LINE;
}

INLINE size_t value_at(size_t j)
{
    return j * VALUE_BYTES;
}

/* Half of an odd number of cache lines, which is what two rows take: [PRODUCTS] of half a row. */
static size_t operand_row_bytes(size_t width)
{
    return (PRODUCTS * half_bytes(width) / LINE | 1) * LINE / 2;
}

INLINE size_t panel_bytes(size_t inputs)
{
    return half_steps(inputs) * PANEL * STEP_BYTES;
}

/* Outputs, filled up to whole panels, left and right. */
INLINE size_t whole_panels(size_t outputs)
{
    return (outputs + 2 * PANEL - 1) / (2 * PANEL) * (2 * PANEL);
}

/* [whole_panels / (2 * PANEL), QUARTERS, half_steps, PANEL, GROUP]: b00, b01, b10, b11 */
static size_t weight_bytes(size_t inputs, size_t outputs)
{
    return whole_panels(outputs) / (2 * PANEL) * QUARTERS * panel_bytes(inputs);
}

/* What weights each product has, by the numbers of the quarters: one as it is, or a sum or a difference of two. */
enum sum_of_weights { WEIGHTS_AS_THEY_ARE, WEIGHTS_ADDED, WEIGHTS_SUBTRACTED };
static const struct { size_t first, second; enum sum_of_weights sum; } weights_of[PRODUCTS] = {
    {0, 0, WEIGHTS_AS_THEY_ARE}, {2, 0, WEIGHTS_SUBTRACTED}, {3, 0, WEIGHTS_AS_THEY_ARE}, {1, 3, WEIGHTS_SUBTRACTED}, {0, 3, WEIGHTS_ADDED}, {2, 3, WEIGHTS_ADDED}, {0, 1, WEIGHTS_ADDED},
};

typedef int16_t values16 __attribute__((vector_size(64)));

INLINE values16 sum_weights(enum sum_of_weights sum, values16 first, values16 second)
{
    return sum == WEIGHTS_ADDED ? first + second : sum == WEIGHTS_SUBTRACTED ? first - second : first;
}

/* The weights of one of the seven products: panels of the quarters that they are made of, and the panel that they are made in (or, as they are, the first quarter's). */
struct seventh { size_t product; const char *first, *second; char *panel; };

/* `count` steps of them. */
INLINE void make_weights(const enum sum_of_weights sum, const struct seventh *seventh, size_t p, const size_t count)
{
    UNROLL for (size_t i = 0; i < count * WIDTH; i++) {
        const size_t at = p * PANEL * STEP_BYTES + i * sizeof(values16);
        values16 first, second;
        memcpy(&first, seventh->first + at, sizeof first);
        memcpy(&second, seventh->second + at, sizeof second);
        first = sum_weights(sum, first, second);
        memcpy(seventh->panel + at, &first, sizeof first);
    }
}

/* Where a processor adds beside its multipliers: of three groups, two are multiplied as a pair, one as usual, as paired_product.h explains,
 *   x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1,
 * here with x0, x1, w0, w1 groups. Integers lose nothing by it: sums pass 2^31 on the way and come back. */
INLINE void multiply_pairs(const size_t rows, const char *const *third, size_t stride, size_t p, const char *b, sums tile[ROWS][WIDTH])
{
    sums first[WIDTH], second[WIDTH], single[WIDTH];
    load_panel(b, p, first);
    load_panel(b, p + 1, second);
    load_panel(b, p + 2, single);
    UNROLL for (size_t i = 0; i < rows; i++)
        paired_step(tile[i], third[i / 3] + i % 3 * stride + p * STEP_BYTES, first, second, single);
}

/* sum: how weights are made, each before it is used, for loads and stores cost next to nothing beside the products; or they are there. */
INLINE void multiply(const size_t rows, const enum sum_of_weights sum, size_t steps, const char *a, size_t stride, const struct seventh *seventh, struct ahead ahead, sums tile[ROWS][WIDTH])
{
    const struct seventh own = *seventh; /* for all that the compiler knows, weights that are made might overwrite it */
    const char *third[(ROWS + 2) / 3];
    address_rows(rows, a, stride, third);
    size_t p = 0;
    for (; p + AT_A_TIME <= steps; p += AT_A_TIME) {
        fetch_ahead(&ahead);
        if (sum != WEIGHTS_AS_THEY_ARE)
            make_weights(sum, &own, p, AT_A_TIME);
        multiply_pairs(rows, third, stride, p, own.panel, tile);
    }
    for (; p < steps; p++) {
        if (sum != WEIGHTS_AS_THEY_ARE)
            make_weights(sum, &own, p, 1);
        multiply_step(rows, third, stride, p, own.panel, tile);
    }
}

/* What the weights of two panels' products are made in, in bytes. */
static size_t operand_room(size_t width)
{
    return PRODUCTS * panel_bytes(width);
}

typedef modular tile_sums[ROWS][WIDTH];
/* Sums that later products need, each where the number says: 0: product 0; 1: 0 + 1; 2: 2; 3: 2 + 3; and then, in place of product 0, 0: 1 - 2 + 4. */
enum { KEPT = 4 };

/* One of the seven products, of `rows` pairs of rows. finish: of the quarter that is done by it; NULL: none is. */
INLINE void seventh_rows(const size_t rows, const enum sum_of_weights sum, size_t steps, const char *a, size_t stride, const struct seventh *seventh, struct ahead ahead,
                         tile_sums kept[KEPT], const struct finish *finish)
{
    const size_t product = seventh->product;
    sums tile[ROWS][WIDTH];
#define EACH_SUM(what) \
    UNROLL for (size_t i = 0; i < rows; i++) \
        UNROLL for (size_t j = 0; j < WIDTH; j++) \
            what;
    EACH_SUM(tile[i][j] = (sums){0})
    multiply(rows, sum, steps, a, stride, seventh, ahead, tile);
    switch (product) {
    case 1: case 5:
        EACH_SUM(tile[i][j] = (sums)((modular)tile[i][j] + kept[0][i][j]))
        break;
    case 3:
        EACH_SUM(tile[i][j] = (sums)((modular)tile[i][j] + kept[2][i][j]))
        break;
    case 4:
        EACH_SUM(tile[i][j] = (sums)((modular)tile[i][j] + kept[1][i][j] - kept[0][i][j] - kept[2][i][j]))
        break;
    case 6:
        EACH_SUM(tile[i][j] = (sums)((modular)tile[i][j] + kept[0][i][j] - kept[1][i][j] + kept[3][i][j]))
        break;
    default: break;
    }
    if (product < 5) {
        modular(*const keep)[WIDTH] = kept[product % KEPT];
        EACH_SUM(keep[i][j] = (modular)tile[i][j])
    }
    if (finish && finish->columns)
        finish_tile(rows, finish, tile);
#undef EACH_SUM
}

#define SEVENTH_FUNCTION(name, body) \
    static __attribute__((noinline)) void name(size_t rows, size_t steps, const char *a, size_t stride, const struct seventh *seventh, struct ahead ahead, tile_sums kept[KEPT], \
                                               const struct finish *finish) \
    { \
        body \
    }
#define MULTIPLY(rows, sum) seventh_rows(rows, sum, steps, a, stride, seventh, ahead, kept, finish);
#define CASE(n, most) \
    case n: \
        if (n <= most) \
            MULTIPLY(n <= most ? n : most, WEIGHTS_AS_THEY_ARE) \
        break;
SEVENTH_FUNCTION(multiply_made, switch (rows) { EACH_ROWS(CASE, ROWS) default: break; })
SEVENTH_FUNCTION(multiply_added, (void)rows; MULTIPLY(ROWS, WEIGHTS_ADDED))
SEVENTH_FUNCTION(multiply_subtracted, (void)rows; MULTIPLY(ROWS, WEIGHTS_SUBTRACTED))
#undef CASE
#undef MULTIPLY

/* For the first rows, which make the weights. There are as many of them as a tile has, but where there are less in all. */
SEVENTH_FUNCTION(multiply_first, {
    const enum sum_of_weights sum = weights_of[seventh->product].sum;
    if (rows == ROWS && sum == WEIGHTS_ADDED)
        multiply_added(rows, steps, a, stride, seventh, ahead, kept, finish);
    else if (rows == ROWS && sum == WEIGHTS_SUBTRACTED)
        multiply_subtracted(rows, steps, a, stride, seventh, ahead, kept, finish);
    else {
        for (size_t p = 0; sum != WEIGHTS_AS_THEY_ARE && p < steps; p++)
            make_weights(sum, seventh, p, 1);
        multiply_made(rows, steps, a, stride, seventh, ahead, kept, finish);
    }
})

/* Of which product each quarter is finished; or none is. */
static const signed char last_of[PRODUCTS] = {-1, 2, -1, 1, -1, 0, 3};

/* How quarters are finished, for two panels of outputs from `first` on. */
INLINE void finish_panels(const struct reduced_linear *layer, enum tile_then then, size_t first, size_t y_stride, struct finish finish[QUARTERS])
{
    for (size_t q = 0; q < QUARTERS; q++) {
        const size_t output = first + q % 2 * PANEL, left = layer->outputs > output ? layer->outputs - output : 0;
        finish[q] = (struct finish){.then = then, .bias = layer->bias + output, .weight_scale = layer->scale + output,
                                    .column_pairs = layer->pair_sums + q / 2 * whole_panels(layer->outputs) + output, .y_stride = 2 * y_stride, .columns = left < PANEL ? left : PANEL};
    }
}

/* And for a tile's rows, of which there are some `left`. */
INLINE void finish_tiles(const struct operand *x, size_t row, size_t left, float *y, size_t y_stride, struct finish finish[QUARTERS])
{
    for (size_t q = 0; q < QUARTERS; q++) {
        const size_t lower = q / 2;
        finish[q].scale = x->scale + row + lower;
        finish[q].row_pairs = x->pair_sums + 2 * row + q;
        finish[q].y = y + lower * y_stride + q % 2 * PANEL;
        finish[q].rows = (left + 1 - lower) / 2;
    }
}

INLINE struct seventh seventh_of(size_t product, char *panels, size_t bytes, char *room)
{
    char *first = panels + weights_of[product].first * bytes;
    return (struct seventh){product, first, panels + weights_of[product].second * bytes, weights_of[product].sum == WEIGHTS_AS_THEY_ARE ? first : room + product * bytes};
}

static void run_linear(const struct reduced_linear *layer, enum tile_then then, size_t rows, const struct operand *x, float *y, size_t y_stride)
{
    const size_t steps = half_steps(layer->inputs), half = half_bytes(layer->inputs), bytes = panel_bytes(layer->inputs), pairs = (rows + 1) / 2, stride = 2 * x->stride;
    const size_t share = QUARTERS * bytes / PRODUCTS / ((pairs + ROWS - 1) / ROWS); /* each product fetches its share of the next panels */
    tile_sums kept[KEPT];
    struct finish finish[QUARTERS];
    for (size_t j = 0; j < layer->outputs; j += 2 * PANEL) {
        char *panels = (char *)layer->weights + j / (2 * PANEL) * QUARTERS * bytes;
        struct ahead ahead = {panels + QUARTERS * bytes, ahead_step(share, steps)};
        finish_panels(layer, then, j, y_stride, finish);
        for (size_t pair = 0; pair < pairs; pair += ROWS) {
            const char *a = (const char *)x->values + pair * stride;
            finish_tiles(x, 2 * pair, rows - 2 * pair, y + 2 * pair * y_stride + j, y_stride, finish);
            for (size_t product = 0; product < PRODUCTS; product++, a += half, ahead.at += share) {
                const struct seventh seventh = seventh_of(product, panels, bytes, x->room);
                (pair == 0 ? multiply_first : multiply_made)(pairs - pair < ROWS ? pairs - pair : ROWS, steps, a, stride, &seventh, ahead, kept,
                                                             last_of[product] < 0 ? NULL : &finish[last_of[product]]);
            }
        }
    }
}
