/* From f32 to whole numbers in DIGITS digits (tile_product.h). Included by reduced_rows.h. */

/* GROUP numbers, rounded: `apart` bytes from digit to digit. Half of a digit's range is added to all but the highest and then taken from it, which makes bytes of digits. */
#if DIGITS == 2
INLINE void store_digits(char *at, size_t apart, const vector numbers[GROUP / LANES])
{
    const __m512i half = _mm512_set1_epi16(0x80);
    /* The high bytes of 32 words, then the low ones; and the words of two vectors stand side by side by fours. */
    const integers high = (integers){0, 16, 32, 48, 8, 24, 40, 56} * 0x01010101 + 0x07050301, low = high - 0x01010101;
    const __m512i order = _mm512_inserti64x4((__m512i)high, _mm512_castsi512_si256((__m512i)low), 1);
    __m512i halves[2];
    UNROLL for (size_t i = 0; i < 2; i++) {
        const __m512i words = _mm512_packs_epi32(_mm512_cvtps_epi32((__m512)numbers[2 * i]), _mm512_cvtps_epi32((__m512)numbers[2 * i + 1]));
        halves[i] = _mm512_permutexvar_epi8(order, _mm512_xor_si512(_mm512_add_epi16(words, half), half));
    }
    _mm512_storeu_si512(at, _mm512_shuffle_i64x2(halves[0], halves[1], 0x44));
    _mm512_storeu_si512(at + apart, _mm512_shuffle_i64x2(halves[0], halves[1], 0xee));
}
#else
INLINE void store_digits(char *at, size_t apart, const vector numbers[GROUP / LANES])
{
    const __m512i half = _mm512_set1_epi32(0x8080);
    const integers lowest = ((integers){0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3} << 4) * 0x01010101 + 0x0c080400; /* the lowest bytes of 16 numbers, four times */
    UNROLL for (size_t digit = 0; digit < DIGITS; digit++) {
        const __m512i order = (__m512i)(lowest + (int32_t)(DIGITS - 1 - digit) * 0x01010101);
        __m512i digits = _mm512_setzero_si512();
        UNROLL for (size_t i = 0; i < 4; i++) {
            const __m512i whole = _mm512_xor_si512(_mm512_add_epi32(_mm512_cvtps_epi32((__m512)numbers[i]), half), half);
            digits = _mm512_mask_permutexvar_epi8(digits, (__mmask64)0xffff << 16 * i, order, whole);
        }
        _mm512_storeu_si512(at + digit * apart, digits);
    }
}
#endif

/* Of a row, or an output's weights, from the size of its largest number. MOST is a little less than 127 in every digit, so that nothing is larger once it is rounded. */
INLINE float digits_factor(float largest)
{
    static const float MOST = DIGITS == 3 ? 8355000 : 32638;
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
    const float factor = digits_factor(largest_rotated(width, x, into->factors, rotated_row(width, into, row)));
    into->scale[row] = UNIT / factor;
    return (struct steps){factor, 0};
}

INLINE void convert_row(size_t width, const float *x, struct steps steps, const struct operand *into, size_t row)
{
    x = rotated_row(width, into, row);
    convert_numbers(width, x, steps.factor, row_values(into, row), APART);
}
