/* Floats of 16 bits: IEEE half precision (f16) and the upper half of a float (bf16). */
#ifndef REPRISE_HALF_FLOATS_H
#define REPRISE_HALF_FLOATS_H

#include <stddef.h>
#include <stdint.h>

enum float_type { FLOATS_F32, FLOATS_F16, FLOATS_BF16 };

/* `from` need not be aligned. Every 16 bits become the float of the same value. */
void floats_from_f16(const void *from, size_t count, float *into);
void floats_from_bf16(const void *from, size_t count, float *into);

/* To the nearest f16, ties to even; beyond 65504 infinite, as NumPy has it. */
uint16_t f16_from_float(float value);

#endif
