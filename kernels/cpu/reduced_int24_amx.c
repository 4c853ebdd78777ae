/* f32 by 24-bit integers on AMX tiles, in three digits: six products of int8 for one, 171 multiply-adds a cycle, where vectors of f32 have 32. */
#if defined(__x86_64__)
#include "avx512_vectors.h"

#define DIGITS 3
#define GROUP 64
#define ROWS 16
#define WIDTH 1
#include "reduced_source.h"

extern const struct reduced reduced_int24_amx;
const struct reduced reduced_int24_amx = {.precision = PRECISION_F32, .values = "int24", .by_columns = 1, REDUCED_TABLE};
#endif
