/* 16-bit elements on the host: f32 values rounded to what an element can hold, and back. */
#ifndef TESTS_GPU_HALF_H
#define TESTS_GPU_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../../kernels/cuda/kernels.h"

/* Rounds to `digits` binary digits, and to multiples of `least`; ties to even. */
static inline float round_to(float x, int digits, float least)
{
    int exponent;
    (void)frexpf(x, &exponent);
    const float unit = fmaxf(ldexpf(1, exponent - digits), least);
    return nearbyintf(x / unit) * unit;
}

static inline float rounded(enum element element, float x)
{
    return element == ELEMENT_F16 ? round_to(x, 11, ldexpf(1, -24)) : element == ELEMENT_BF16 ? round_to(x, 8, 0) : x;
}

static inline float f16_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float size = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexpf((float)(1024 + fraction), exponent - 25) : ldexpf((float)fraction, -24);
    return bits & 0x8000 ? -size : size;
}

/* From an array of elements, as it comes from the device. */
static inline float element_value(enum element element, const void *values, size_t at)
{
    if (element == ELEMENT_F32)
        return ((const float *)values)[at];
    const uint16_t bits = ((const uint16_t *)values)[at];
    if (element == ELEMENT_F16)
        return f16_value(bits);
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

#endif
