/* From f32 to operands. Included by reduced_source.h. */

/* What a row is converted with: value = x * factor + shift. */
struct steps { float factor, shift; };

struct range { vector least, most; }; /* of a row's rotated numbers, lane by lane */

/* Rounding to whole numbers is poor where single numbers of a row are much larger than the others, and some are in every encoder. So activations and weights
 * both go through the same rotation, which spreads each number over 32 (16) and leaves their products as they were: a Hadamard transform of up to eight
 * vectors, lane by lane, and in the lanes of the halves and quarters of each (Ashkboos et al. 2024, arXiv 2404.00456).
 * Without it int8 is poor; in 16 bits, of which a row's length leaves some 11, and in two digits, few texts in a thousand, which are sensitive, come to a cosine of 0.997 and 0.9995; and
 * 24 bits have five times the error of f32's own sums. */
INLINE void rotate_vectors(const size_t count, const float *x, const float *factors, float *rotated, struct range *range)
{
    vector v[8], halves, quarters;
    for (size_t l = 0; l < LANES; l++) {
        halves[l] = l < LANES / 2 ? 1 : -1;
        quarters[l] = l % (LANES / 2) < LANES / 4 ? 1 : -1;
    }
    UNROLL for (size_t i = 0; i < count; i++)
        v[i] = load(x + i * LANES) * load(factors + i * LANES);
    UNROLL for (size_t step = 1; step < count; step *= 2)
        UNROLL for (size_t i = 0; i < count; i++)
            if (!(i & step)) {
                const vector sum = v[i] + v[i + step];
                v[i + step] = v[i] - v[i + step];
                v[i] = sum;
            }
    UNROLL for (size_t i = 0; i < count; i++) {
        const vector once = fused(v[i], halves, swap_halves(v[i])), twice = fused(once, quarters, swap_quarters(once));
        store(rotated + i * LANES, twice);
        range->least = vector_smaller(range->least, twice);
        range->most = vector_larger(range->most, twice);
    }
}

/* What numbers are multiplied with on their way, so that a row keeps its length. */
static void rotation_factors(size_t width, float *factors)
{
    static const float unit[] = {[1] = 0.5f, [2] = 0.35355339f, [4] = 0.25f, [8] = 0.17677670f}; /* 1 / sqrt(4 count) */
    size_t j = 0;
    for (size_t count = 8; count; count /= 2)
        for (; j + count * LANES <= width; j += count * LANES)
            for (size_t i = 0; i < count * LANES; i++)
                factors[j + i] = unit[count];
    for (; j < width; j++)
        factors[j] = 1;
}

/* Zero lies in every range, so that a row that is all but constant keeps its precision. */
INLINE struct range rotate(size_t width, const float *x, const float *factors, float *rotated)
{
    struct range range = {-all(0), all(0)};
    size_t j = 0;
    for (; j + 8 * LANES <= width; j += 8 * LANES)
        rotate_vectors(8, x + j, factors + j, rotated + j, &range);
    if (j + 4 * LANES <= width)
        rotate_vectors(4, x + j, factors + j, rotated + j, &range), j += 4 * LANES;
    if (j + 2 * LANES <= width)
        rotate_vectors(2, x + j, factors + j, rotated + j, &range), j += 2 * LANES;
    if (j + LANES <= width)
        rotate_vectors(1, x + j, factors + j, rotated + j, &range), j += LANES;
    if (j < width) {
        const vector rest = load_some(x + j, width - j) * load_some(factors + j, width - j);
        store_some(rotated + j, rest, width - j);
        range.least = vector_smaller(range.least, rest);
        range.most = vector_larger(range.most, rest);
    }
    return range;
}

/* The size of the largest of a row's rotated numbers. */
INLINE float largest_rotated(size_t width, const float *x, const float *factors, float *rotated)
{
    const struct range range = rotate(width, x, factors, rotated);
    return vector_largest(vector_larger(range.most, -range.least));
}

INLINE float *rotated_row(size_t width, const struct operand *into, size_t row)
{
    return (float *)into->room + row % ROTATED_ROWS * width;
}

#ifdef INT8
INLINE struct steps measure_row(size_t width, const float *x, const struct operand *into, size_t row)
{
    const struct range range = rotate(width, x, into->factors, rotated_row(width, into, row));
    const float least = -vector_largest(-range.least), most = vector_largest(range.most);
    const float scale = most > least ? (most - least) / LEVELS : 1, shift = nearbyintf(-least / scale);
    into->scale[row] = scale;
    into->zero[row] = -shift * scale;
    return (struct steps){1 / scale, shift};
}

enum { AT_ONCE = 4 * LANES };

INLINE void store_at_once(char *at, const float *x, struct steps steps)
{
    vector v[4];
    UNROLL for (size_t i = 0; i < 4; i++)
        v[i] = fused(load(x + i * LANES), all(steps.factor), all(steps.shift));
    store_bytes(at, v);
}
#elif defined DIGITS
#include "digit_rows.h"
#else /* INT16 */
/* The largest size of a row's numbers, and the sum of their squares. In several chains, because one alone would wait for every one. */
enum { CHAINS = 4 };
struct sizes { vector most[CHAINS], squares[CHAINS]; };

INLINE void add_sizes(struct sizes *sizes, const float *x)
{
    UNROLL for (size_t i = 0; i < CHAINS; i++) {
        vector v = load(x + i * LANES);
        in_register(v);
        sizes->most[i] = vector_larger(sizes->most[i], (vector)((integers)v & INT32_MAX));
        sizes->squares[i] = fused(v, v, sizes->squares[i]);
    }
}

INLINE void find_largest(size_t width, const float *x, float *largest, float *squares)
{
    struct sizes sizes = {{{0}}, {{0}}};
    size_t j = 0;
    for (; j + CHAINS * LANES <= width; j += CHAINS * LANES)
        add_sizes(&sizes, x + j);
    if (j < width) {
        float rest[CHAINS * LANES] = {0};
        memcpy(rest, x + j, (width - j) * sizeof *rest);
        add_sizes(&sizes, rest);
    }
    *largest = vector_largest(vector_larger(vector_larger(sizes.most[0], sizes.most[1]), vector_larger(sizes.most[2], sizes.most[3])));
    *squares = vector_sum((sizes.squares[0] + sizes.squares[1]) + (sizes.squares[2] + sizes.squares[3]));
}

/* A row to whole numbers of at most MOST whose vector is at most LENGTH long; where that has no length, neither has it a unit, and what is made of it is no number either. Four such have a sum of less than 2^15, so sums of two halves do by pairs; and the product of two
 * rows is less than 2^31 (Cauchy and Schwarz), whatever is rounded: a row of a million numbers becomes 500 longer by that. */
INLINE struct steps measure_row(size_t width, const float *x, const struct operand *into, size_t row)
{
    static const float MOST = 8191, LENGTH = 45800;
    float largest, squares;
    rotate(width, x, into->factors, rotated_row(width, into, row));
    find_largest(width, rotated_row(width, into, row), &largest, &squares);
    const float of_largest = largest / MOST, of_length = sqrtf(squares) / LENGTH, scale = !isfinite(squares) ? NAN : largest == 0 ? 1 : of_largest > of_length ? of_largest : of_length;
    into->scale[row] = scale;
    return (struct steps){1 / scale, 0};
}

enum { AT_ONCE = 2 * LANES };

INLINE void store_at_once(char *at, const float *x, struct steps steps)
{
    const integers values = (integers)round_two(load(x), load(x + LANES), steps.factor);
    memcpy(at, &values, sizeof values);
}
#endif

#if defined INT8 || !defined DIGITS
INLINE void convert_values(size_t width, const float *x, struct steps steps, char *values)
{
    size_t j = 0;
    for (; j + AT_ONCE <= width; j += AT_ONCE)
        store_at_once(values + value_at(j), x + j, steps);
    if (j < width) {
        float rest[AT_ONCE] = {0};
        char bytes[AT_ONCE * VALUE_BYTES];
        memcpy(rest, x + j, (width - j) * sizeof *rest);
        store_at_once(bytes, rest, steps);
        memcpy(values + value_at(j), bytes, (width - j) * VALUE_BYTES);
    }
}
#endif

#ifdef PAIRED
#include "seven_operands.h"
#else
#if defined INT8 || !defined DIGITS
INLINE void convert_row(size_t width, const float *x, struct steps steps, const struct operand *into, size_t row)
{
    x = rotated_row(width, into, row);
    convert_values(width, x, steps, row_values(into, row));
}
#endif

/* The next row is measured before a row is converted: what is computed from a row's largest numbers would be waited for. */
static void convert_rows(size_t first, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    struct steps steps = {0}, next = {0};
    for (size_t i = first; i <= end; i++, steps = next) {
        if (i < end)
            next = measure_row(width, x + i * stride, into, i);
        if (i > first)
            convert_row(width, x + (i - 1) * stride, steps, into, i - 1);
    }
}
#endif
