/* 16-bit integers on AMX tiles, in two digits: three products of int8 for one, 341 multiply-adds a cycle. */
#if defined(__x86_64__)
#include "avx512_vectors.h"

#define DIGITS 2
#define GROUP 64
#define ROWS 32
#define WIDTH 1
#include "reduced_source.h"

extern const struct reduced reduced_int16_amx;
const struct reduced reduced_int16_amx = {.precision = PRECISION_BF16, .values = "int16", .balanced = 1, .by_columns = 1, REDUCED_TABLE};
#endif
