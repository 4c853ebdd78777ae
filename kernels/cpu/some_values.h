/* For a file that has defined store_values (reduced_source.h) and VALUE_BYTES, the bytes of one value. */

INLINE void store_some_values(char *at, vector v, size_t count)
{
    char values[LANES * VALUE_BYTES];
    store_values(values, v);
    memcpy(at, values, count * VALUE_BYTES);
}
