/* The addresses of every third row, from which the others are addressed as base + stride and base + 2 * stride: one address register a row would be more than there are. `stride` in
 * bytes. For a file that has defined ROWS. */
INLINE void address_rows(const size_t rows, const char *a, size_t stride, const char *third[(ROWS + 2) / 3])
{
    UNROLL for (size_t i = 0; i < rows; i += 3) {
        third[i / 3] = a + i * stride;
        __asm__("" : "+r"(third[i / 3])); /* or the compiler derives one register a row from it again */
    }
}
