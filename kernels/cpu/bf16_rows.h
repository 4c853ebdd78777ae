/* From f32 to bf16 as tiles read it (tile_product.h), for BF16. Included by reduced_source.h instead of reduced_rows.h: nothing is measured. */

/* Numbers to `values`, steps of a row `apart` bytes apart. */
INLINE void convert_numbers(size_t width, const float *x, char *values, const size_t apart)
{
    size_t j = 0;
    for (; j + GROUP <= width; j += GROUP, values += apart)
        store_bf16(values, load(x + j), load(x + j + LANES));
    if (j < width) {
        float rest[GROUP] = {0};
        memcpy(rest, x + j, (width - j) * sizeof *x);
        store_bf16(values, load(rest), load(rest + LANES));
    }
}

static void convert_rows(size_t first, size_t end, size_t width, const float *x, size_t stride, const struct operand *into)
{
    for (size_t i = first; i < end; i++)
        convert_numbers(width, x + i * stride, row_values(into, i), APART);
}

/* Nothing is rotated, and factors are not read. */
static void rotation_factors(size_t width, float *factors)
{
    for (size_t j = 0; j < width; j++)
        factors[j] = 1;
}
