/* bf16 on AMX tiles: 512 multiply-adds a cycle. */
#if defined(__x86_64__)
#include "avx512_vectors.h"

#define BF16
#define DIGITS 1
#define GROUP 32
#define ROWS 32
#define WIDTH 2
#include "reduced_source.h"

extern const struct reduced reduced_bf16_amx;
const struct reduced reduced_bf16_amx = {.precision = PRECISION_BF16, .values = "bf16", .by_columns = 1, REDUCED_TABLE};
#endif
