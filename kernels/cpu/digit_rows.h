/* From f32 to whole numbers in DIGITS digits (tile_product.h). Included by reduced_rows.h. */

/* The bytes of 32 numbers of 32 bits that become 64 bytes: byte `first` of each, then byte `second` of each. */
#define DIGITS_OF(first, second) \
    (((integers){0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7} << 4) * 0x01010101 + 0x0c080400 + \
     (integers){first, first, first, first, first, first, first, first, second, second, second, second, second, second, second, second} * 0x01010101)

/* GROUP numbers, rounded: `apart` bytes from digit to digit. Half of a digit's range is added to all but the highest and then taken from it, which makes bytes of digits. */
INLINE void store_digits(char *at, size_t apart, const vector numbers[GROUP / LANES])
{
    const __m512i half = _mm512_set1_epi32(DIGITS == 3 ? 0x8080 : 0x80);
    const __m512i upper = (__m512i)DIGITS_OF(DIGITS - 1, DIGITS - 2), lowest = (__m512i)DIGITS_OF(0, 0);
    __m512i whole[4], pairs[2];
    UNROLL for (size_t i = 0; i < 4; i++)
        whole[i] = _mm512_xor_si512(_mm512_add_epi32(_mm512_cvtps_epi32((__m512)numbers[i]), half), half);
    UNROLL for (size_t i = 0; i < 2; i++)
        pairs[i] = _mm512_permutex2var_epi8(whole[2 * i], upper, whole[2 * i + 1]);
    _mm512_storeu_si512(at, _mm512_shuffle_i64x2(pairs[0], pairs[1], 0x44));
    _mm512_storeu_si512(at + apart, _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xee));
    if (DIGITS == 3) {
        UNROLL for (size_t i = 0; i < 2; i++)
            pairs[i] = _mm512_permutex2var_epi8(whole[2 * i], lowest, whole[2 * i + 1]);
        _mm512_storeu_si512(at + 2 * apart, _mm512_shuffle_i64x2(pairs[0], pairs[1], 0x44));
    }
}

INLINE float largest_size(size_t width, const float *x)
{
    enum { CHAINS = 4 }; /* because one alone would wait for every one */
    vector most[CHAINS] = {{0}};
    size_t j = 0;
    for (; j + CHAINS * LANES <= width; j += CHAINS * LANES)
        UNROLL for (size_t i = 0; i < CHAINS; i++)
            most[i] = vector_larger(most[i], (vector)((integers)load(x + j + i * LANES) & INT32_MAX));
    for (; j < width; j += LANES)
        most[0] = vector_larger(most[0], (vector)((integers)(width - j < LANES ? load_some(x + j, width - j) : load(x + j)) & INT32_MAX));
    return vector_largest(vector_larger(vector_larger(most[0], most[1]), vector_larger(most[2], most[3])));
}

/* Of a row, or an output's weights. MOST is a little less than 127 in every digit, so that nothing is larger once it is rounded. */
INLINE float digits_factor(size_t width, const float *x)
{
    static const float MOST = DIGITS == 3 ? 8355000 : 32638;
    const float largest = largest_size(width, x);
    return largest > 0 ? MOST / largest : 1;
}

static const float UNIT = DIGITS == 3 ? 256 : 16; /* of numbers times their factor: its square is that of the last sum of digits' products */

/* Numbers times their factor to `values`, where digits stand `apart` bytes apart. */
INLINE void convert_numbers(size_t width, const float *x, float factor, char *values, const size_t apart)
{
    vector numbers[GROUP / LANES];
    size_t j = 0;
    for (; j + GROUP <= width; j += GROUP, values += DIGITS * apart) {
        UNROLL for (size_t i = 0; i < GROUP / LANES; i++)
            numbers[i] = load(x + j + i * LANES) * all(factor);
        store_digits(values, apart, numbers);
    }
    if (j < width) {
        float rest[GROUP] = {0};
        memcpy(rest, x + j, (width - j) * sizeof *x);
        for (size_t i = 0; i < GROUP / LANES; i++)
            numbers[i] = load(rest + i * LANES) * all(factor);
        store_digits(values, apart, numbers);
    }
}

INLINE struct steps measure_row(size_t width, const float *x, const struct operand *into, size_t row)
{
    const float factor = digits_factor(width, x);
    into->scale[row] = UNIT / factor;
    return (struct steps){factor, 0};
}

INLINE void convert_row(size_t width, const float *x, struct steps steps, const struct operand *into, size_t row)
{
    convert_numbers(width, x, steps.factor, row_values(into, row), APART);
}
