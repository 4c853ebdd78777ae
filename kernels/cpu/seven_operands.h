/* What seven_products.h reads: rows and weights in halves and their sums, and their pair sums. Included by reduced_rows.h. */
#include "transpose.h"

/* What the quarters' sums owe to the pair sums of the seven products. */
#define QUARTER_SUMS(product, quarter) \
    do { \
        (quarter)[0] = (product)[1] - (product)[2] + (product)[4] + (product)[5]; \
        (quarter)[1] = (product)[2] + (product)[3]; \
        (quarter)[2] = (product)[0] + (product)[1]; \
        (quarter)[3] = (product)[3] - (product)[0] + (product)[4] + (product)[6]; \
    } while (0)

/* ---- rows ---- */

enum { BLOCK_VALUES = AT_A_TIME * AT_ONCE }; /* of a half: whole vectors and whole triples of groups */

/* Two rows, or their numbers from some place on; NULL: zeros. */
struct two_rows {
    const float *half[2][2]; /* upper and lower; first and second */
    float factor[2];
};

/* So many vectors of each half, from their values `from` on, to `to`, half after half, as values p and following. Of a whole block the pair sums are added up: each group that begins a triple times the next. */
INLINE void place_values(const size_t vectors, const struct two_rows *rows, size_t from, char *to, size_t p, size_t half, modular sum[PRODUCTS])
{
    static const unsigned short begins[AT_A_TIME] = {0x9249, 0x4924, 0x2492};
    integers placed[PRODUCTS][AT_A_TIME];
    UNROLL for (size_t i = 0; i < vectors; i++, from += AT_ONCE, p += AT_ONCE) {
        values16 a[2][2];
        UNROLL for (size_t r = 0; r < 2; r++)
            UNROLL for (size_t h = 0; h < 2; h++)
                a[r][h] = (values16)round_two(load(rows->half[r][h] + from), load(rows->half[r][h] + from + LANES), rows->factor[r]);
        const values16 sums_of_halves[PRODUCTS] = {a[1][0] + a[1][1], a[1][1], a[0][0] + a[0][1], a[0][0], a[0][0] + a[1][1], a[0][1] - a[1][1], a[1][0] - a[0][0]};
        UNROLL for (size_t product = 0; product < PRODUCTS; product++) {
            integers *v = placed[product];
            v[i] = (integers)sums_of_halves[product];
            memcpy(to + product * half + value_at(p), &v[i], sizeof v[i]);
            if (vectors == AT_A_TIME && i > 0)
                sum[product] = (modular)dot_some(sum[product], begins[i - 1], v[i - 1], shifted(v[i - 1], v[i]));
            if (vectors == AT_A_TIME && i + 1 == AT_A_TIME)
                sum[product] = (modular)dot_some(sum[product], begins[i], v[i], shifted(v[i], v[i]));
        }
    }
}

/* The pair sums of a half, or a sum of two, from value p on. */
static uint32_t rest_sum(size_t p, size_t values, const char *half)
{
    uint32_t sum = 0;
    for (; p + AT_A_TIME * GROUP <= values; p += AT_A_TIME * GROUP) {
        int16_t v[2 * GROUP];
        memcpy(v, half + value_at(p), sizeof v);
        for (size_t i = 0; i < GROUP; i++)
            sum += (uint32_t)(v[i] * v[GROUP + i]);
    }
    return sum;
}

/* From value p of a half on, which begins a block, where some are zeros: what is behind a row's width, or all of a row. `sum` begins anew. */
static __attribute__((noinline)) void place_filled(struct two_rows rows, size_t width, size_t p, char *to, size_t half, modular sum[PRODUCTS])
{
    const size_t values = half_steps(width) * GROUP;
    memset(sum, 0, PRODUCTS * sizeof *sum);
    for (; p < values; p += BLOCK_VALUES) {
        float filled[2][2][BLOCK_VALUES] = {{{0}}};
        struct two_rows block = rows;
        for (size_t r = 0; r < 2; r++)
            for (size_t h = 0; h < 2; h++) {
                const size_t begin = h * values + p, end = h == 0 && values < width ? values : width, left = begin < end ? end - begin : 0;
                if (rows.half[r][h])
                    memcpy(filled[r][h], rows.half[r][h] + p, (left < BLOCK_VALUES ? left : BLOCK_VALUES) * sizeof(float));
                block.half[r][h] = filled[r][h];
            }
        if (p + BLOCK_VALUES <= values)
            place_values(AT_A_TIME, &block, 0, to, p, half, sum);
        else {
            for (size_t q = 0; p + q < values; q += AT_ONCE)
                place_values(1, &block, q, to, p + q, half, sum);
            for (size_t product = 0; product < PRODUCTS; product++)
                sum[product][0] += rest_sum(p, values, to + product * half);
        }
    }
}

INLINE uint32_t modular_sum(modular v)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += v[i];
    return sum;
}

/* rows: by value, or they would lie in memory. */
static void convert_two(size_t width, const struct two_rows rows, char *to, uint32_t *pair_sums)
{
    const size_t half = half_bytes(width), values = half_steps(width) * GROUP;
    modular sum[PRODUCTS] = {{0}}, quarter[QUARTERS];
    size_t p = 0;
    if (rows.half[0][0] && rows.half[1][0])
        for (; values + p + BLOCK_VALUES <= width; p += BLOCK_VALUES)
            place_values(AT_A_TIME, &rows, p, to, p, half, sum);
    if (p < values) {
        modular more[PRODUCTS];
        place_filled(rows, width, p, to, half, more);
        UNROLL for (size_t i = 0; i < PRODUCTS; i++)
            sum[i] += more[i];
    }
    QUARTER_SUMS(sum, quarter);
    UNROLL for (size_t i = 0; i < QUARTERS; i++)
        pair_sums[i] = modular_sum(quarter[i]);
}

/* One row of two. Where a row has no unit, its values are zeros: no others may touch its neighbour's sums. */
INLINE void measure_one(size_t r, size_t row, size_t width, const float *x, const struct operand *into, struct two_rows *rows)
{
    rows->factor[r] = measure_row(width, x, into, row).factor;
    for (size_t h = 0; h < 2; h++)
        rows->half[r][h] = isfinite(into->scale[row]) ? rotated_row(width, into, row) + h * half_steps(width) * GROUP : NULL;
}

INLINE struct two_rows measure_two(size_t row, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    struct two_rows rows = {0};
    measure_one(0, row, width, x + row * stride, into, &rows);
    if (row + 1 < end)
        measure_one(1, row + 1, width, x + (row + 1) * stride, into, &rows);
    return rows;
}

/* From an upper row on. The next two rows are measured before two are converted: what is computed from a row's largest numbers would be waited for. */
static void convert_rows(size_t first, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    if (first >= end)
        return;
    struct two_rows rows, next = measure_two(first, end, width, x, stride, into);
    for (size_t i = first; i < end; i += 2) {
        rows = next;
        if (i + 2 < end)
            next = measure_two(i + 2, end, width, x, stride, into);
        convert_two(width, rows, (char *)into->values + i * into->stride, into->pair_sums + 2 * i);
    }
}

/* ---- weights ---- */

enum { PACKED_TOGETHER = 2 * PANEL };

/* A row rounded, its halves one behind the other; whole vectors may be read where the second one begins. */
static size_t packed_row_bytes(size_t width)
{
    return 2 * half_bytes(width) + LINE;
}

/* 16 outputs' groups: [group][output]. */
INLINE void load_groups(const char *values, size_t row_bytes, __m512i groups[LANES])
{
    for (size_t i = 0; i < LANES; i++)
        groups[i] = _mm512_loadu_si512(values + i * row_bytes);
    transpose(groups);
}

/* Left outputs and the right ones beside them, LANES of each, to their panels. pair_sums: of the products' weights. */
static void place_lanes(size_t inputs, const char *left, size_t row_bytes, char *panels, modular pair_sums[PRODUCTS])
{
    const size_t steps = half_steps(inputs), apart = panel_bytes(inputs), paired = steps / AT_A_TIME * AT_A_TIME;
    sums sum[PRODUCTS] = {{0}};
    integers first[PRODUCTS]; /* of a pair */
    for (size_t p = 0; p < steps; p += LANES) {
        __m512i b[QUARTERS][LANES];
        for (size_t q = 0; q < QUARTERS; q++)
            load_groups(left + q % 2 * PANEL * row_bytes + (q / 2 * steps + p) * STEP_BYTES, row_bytes, b[q]);
        for (size_t i = 0; i < LANES && p + i < steps; i++) {
            for (size_t q = 0; q < QUARTERS; q++)
                memcpy(panels + q * apart + (p + i) * PANEL * STEP_BYTES, &b[q][i], sizeof b[q][i]);
            UNROLL for (size_t product = 0; product < PRODUCTS; product++) {
                const integers values = (integers)sum_weights(weights_of[product].sum, (values16)b[weights_of[product].first][i], (values16)b[weights_of[product].second][i]);
                if ((p + i) % AT_A_TIME == 1 && p + i < paired)
                    sum[product] = dot(sum[product], first[product], values);
                first[product] = values;
            }
        }
    }
    for (size_t product = 0; product < PRODUCTS; product++)
        pair_sums[product] = (modular)sum[product];
}

/* Places outputs, PACKED_TOGETHER of them. */
static void place_outputs(const struct reduced_linear *layer, size_t output, const char *values)
{
    const size_t row_bytes = packed_row_bytes(layer->inputs);
    char *panels = (char *)layer->weights + output / (2 * PANEL) * QUARTERS * panel_bytes(layer->inputs);
    for (size_t lane = 0; lane < PANEL; lane += LANES) {
        modular product[PRODUCTS], quarter[QUARTERS];
        place_lanes(layer->inputs, values + lane * row_bytes, row_bytes, panels + lane * STEP_BYTES, product);
        QUARTER_SUMS(product, quarter);
        for (size_t q = 0; q < QUARTERS; q++)
            memcpy(layer->pair_sums + q / 2 * whole_panels(layer->outputs) + output + q % 2 * PANEL + lane, &quarter[q], sizeof quarter[q]);
    }
}
