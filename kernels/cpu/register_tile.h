/* Products in registers: a tile of ROWS rows and WIDTH vectors of columns over a packed panel, as product.h has it in f32. For a file that has defined what reduced_source.h
 * asks for, or attention_avx512.h or attention_scores.c. */

#include "ahead.h"
#include "row_addresses.h"

/* x: the group at `p` of row i. */
INLINE integers every_lane(const char *const *third, size_t stride, size_t i, size_t p)
{
    int32_t x;
    memcpy(&x, third[i / 3] + i % 3 * stride + p * STEP_BYTES, sizeof x);
    return x - (integers){0};
}

INLINE void load_panel(const char *b, size_t p, sums panel[WIDTH])
{
    UNROLL for (size_t j = 0; j < WIDTH; j++)
        memcpy(&panel[j], b + (p * WIDTH + j) * sizeof panel[j], sizeof panel[j]);
}

/* One step for every element of the tile. Sums are added in turn (in_register): the compiler would rather add several steps' products to one another first, and keep them all in
 * memory meanwhile. */
INLINE void multiply_step(const size_t rows, const char *const *third, size_t stride, size_t p, const char *b, sums tile[ROWS][WIDTH])
{
    sums panel[WIDTH];
    load_panel(b, p, panel);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const integers every = every_lane(third, stride, i, p);
        UNROLL for (size_t j = 0; j < WIDTH; j++) {
            tile[i][j] = dot(tile[i][j], every, panel[j]);
            in_register(tile[i][j]);
        }
    }
}

#ifdef dot_two
/* Two steps at a time, whose products are added to one another before they are to the sums. */
INLINE void multiply_two(const size_t rows, const char *const *third, size_t stride, size_t p, const char *b, sums tile[ROWS][WIDTH])
{
    sums first[WIDTH], second[WIDTH];
    load_panel(b, p, first);
    load_panel(b, p + 1, second);
    UNROLL for (size_t i = 0; i < rows; i++) {
        const integers x0 = every_lane(third, stride, i, p), x1 = every_lane(third, stride, i, p + 1);
        UNROLL for (size_t j = 0; j < WIDTH; j++) {
            tile[i][j] = dot_two(tile[i][j], x0, first[j], x1, second[j]);
            in_register(tile[i][j]);
        }
    }
}
#endif

#ifndef PAIRED
INLINE void multiply(const size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, sums tile[ROWS][WIDTH])
{
    const char *third[(ROWS + 2) / 3];
    address_rows(rows, a, stride, third);
    size_t p = 0;
    for (; p + AT_A_TIME <= steps; p += AT_A_TIME) {
        fetch_ahead(&ahead);
#ifdef dot_two
        UNROLL for (size_t q = 0; q < AT_A_TIME; q += 2)
            multiply_two(rows, third, stride, p + q, b, tile);
#else
        UNROLL for (size_t q = 0; q < AT_A_TIME; q++)
            multiply_step(rows, third, stride, p + q, b, tile);
#endif
    }
    for (; p < steps; p++)
        multiply_step(rows, third, stride, p, b, tile);
}
#else
typedef uint32_t modular __attribute__((vector_size(4 * LANES))); /* sums modulo 2^32, which C defines for unsigned numbers alone */
#endif

/* What becomes of a tile. */
enum tile_then { TILE_STORE, TILE_ADD, TILE_GELU, TILE_ADD_GELU /* gelu of the sum */ };
struct finish {
    enum tile_then then;
    const float *bias, *weight_scale, *weight_sums; /* of the panel */
    const float *scale, *zero;                      /* of the rows; attention: what each is multiplied with, or NULL */
    const uint32_t *row_pairs, *column_pairs;       /* PAIRED: pair sums of the rows, and of the panel */
    float *y;
    size_t y_stride, rows, columns; /* PAIRED: rows that there are; they are every second one of the operand's */
};

/* What of `finish` is the panel's, read once: a result that is stored might overwrite it, for all that the compiler knows. */
struct outputs {
    vector bias[WIDTH], weight_scale[WIDTH], weight_sums[WIDTH];
#ifdef PAIRED
    modular pairs[WIDTH];
#endif
};

INLINE void load_outputs(const struct finish *finish, struct outputs *outputs)
{
#ifdef SCALED_ROWS
    (void)finish, (void)outputs;
#else
    UNROLL for (size_t j = 0; j < WIDTH; j++) {
        outputs->bias[j] = load(finish->bias + j * LANES);
        outputs->weight_scale[j] = load(finish->weight_scale + j * LANES);
#ifdef INT8
        outputs->weight_sums[j] = load(finish->weight_sums + j * LANES);
#endif
#ifdef PAIRED
        memcpy(&outputs->pairs[j], finish->column_pairs + j * LANES, sizeof outputs->pairs[j]);
#endif
    }
#endif
}

/* The layer's results for row i. */
INLINE void results(const struct finish *finish, const struct outputs *outputs, size_t i, const sums row[WIDTH], vector y[WIDTH])
{
    UNROLL for (size_t j = 0; j < WIDTH; j++) {
#ifdef INT8
        const vector beside = fused(all(finish->zero[i]), outputs->weight_sums[j], outputs->bias[j]);
        y[j] = fused(to_floats(row[j]) * outputs->weight_scale[j], all(finish->scale[i]), beside);
#elif defined PAIRED
        const modular sum = (modular)row[j] - outputs->pairs[j] - finish->row_pairs[4 * i];
        y[j] = fused(to_floats(sum) * outputs->weight_scale[j], all(finish->scale[2 * i]), outputs->bias[j]);
#elif defined INT16
        y[j] = fused(to_floats(row[j]) * outputs->weight_scale[j], all(finish->scale[i]), outputs->bias[j]);
#else /* attention's */
        (void)outputs;
        y[j] = finish->scale ? row[j] * all(finish->scale[i]) : row[j];
#endif
    }
}

INLINE void finish_vector(const struct finish *finish, size_t i, size_t j, vector v)
{
    const size_t column = j * LANES, left = finish->columns > column ? finish->columns - column : 0, count = left < LANES ? left : LANES;
    float *at = finish->y + i * finish->y_stride + column;
    if (finish->then == TILE_ADD || finish->then == TILE_ADD_GELU)
        v = (count == LANES ? load(at) : load_some(at, count)) + v;
#ifndef SCALED_ROWS
    if (finish->then == TILE_GELU || finish->then == TILE_ADD_GELU)
        v = gelu(v);
#endif
    if (count == LANES)
        store(at, v);
    else
        store_some(at, v, count);
}

INLINE void finish_row(const struct finish *finish, const struct outputs *outputs, size_t i, const sums row[WIDTH])
{
    vector y[WIDTH];
#ifdef PAIRED
    if (i >= finish->rows)
        return;
#endif
    results(finish, outputs, i, row, y);
    UNROLL for (size_t j = 0; j < WIDTH; j++)
        finish_vector(finish, i, j, y[j]);
}

INLINE void finish_tile(const size_t rows, const struct finish *finish, sums tile[ROWS][WIDTH])
{
    struct outputs outputs;
    load_outputs(finish, &outputs);
    if (finish->columns == PANEL) { /* the same, with what is known at compile time */
        struct finish whole = *finish;
        whole.columns = PANEL;
        whole.rows = finish->rows < rows ? rows - 1 : rows;
#define EACH(what) \
    case what: \
        whole.then = what; \
        UNROLL for (size_t i = 0; i < rows; i++) \
            finish_row(&whole, &outputs, i, tile[i]); \
        break;
        switch (finish->then) {
            EACH(TILE_STORE)
#ifndef SCALED_ROWS
            EACH(TILE_ADD) EACH(TILE_GELU) EACH(TILE_ADD_GELU)
#else
        default: break;
#endif
        }
#undef EACH
        return;
    }
    sums kept[ROWS][WIDTH]; /* a tile that were indexed by a loop would lie in memory from its beginning to its end */
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < WIDTH; j++)
            kept[i][j] = tile[i][j];
    for (size_t i = 0; i < rows; i++)
        finish_row(finish, &outputs, i, kept[i]);
}

#ifndef PAIRED
INLINE void product_rows(const size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, const struct finish *finish)
{
    sums tile[ROWS][WIDTH];
    UNROLL for (size_t i = 0; i < rows; i++)
        UNROLL for (size_t j = 0; j < WIDTH; j++)
            tile[i][j] = (sums){0};
    multiply(rows, steps, a, stride, b, ahead, tile);
    finish_tile(rows, finish, tile);
}

static __attribute__((noinline)) void product_tile(size_t rows, size_t steps, const char *a, size_t stride, const char *b, struct ahead ahead, const struct finish *finish)
{
#define CASE(n, most) \
    case n: \
        if (n <= most) \
            product_rows(n <= most ? n : most, steps, a, stride, b, ahead, finish); \
        break;
    switch (rows) {
        EACH_ROWS(CASE, ROWS)
    default: break;
    }
#undef CASE
}
#endif
