/* int8 on AMX tiles: 1,024 multiply-adds a cycle, with the bits of AVX-512 VNNI. */
#if defined(__x86_64__)
#define INT8
#include "avx512_vectors.h"

#define DIGITS 1
#define GROUP 64
#define ROWS 32
#define WIDTH 2
#include "reduced_source.h"

extern const struct reduced reduced_int8_amx;
const struct reduced reduced_int8_amx = {.precision = PRECISION_INT8, .values = "int8", REDUCED_TABLE};
#endif
