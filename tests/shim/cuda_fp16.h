/* Half precision in software: IEEE 754 binary16, rounded to nearest, ties to even. */
#ifndef SHIM_CUDA_FP16_H
#define SHIM_CUDA_FP16_H

#include <cmath>
#include <cstdint>
#include <cstring>

struct __half { uint16_t bits; };
struct __half2 { __half x, y; };

inline __half __float2half_rn(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    const float size = fabsf(value);
    if (size != size)
        return {static_cast<uint16_t>(sign | 0x7e00)};
    if (size >= 65520)
        return {static_cast<uint16_t>(sign | 0x7c00)};
    if (size < 6.103515625e-05f) /* a multiple of 2^-24 */
        return {static_cast<uint16_t>(sign | static_cast<uint16_t>(nearbyintf(size * 16777216)))};
    bits &= 0x7fffffff;
    bits += 0xfff + (bits >> 13 & 1);
    return {static_cast<uint16_t>(sign | ((bits >> 13) - (112u << 10)))};
}

inline float __half2float(__half value)
{
    const int exponent = value.bits >> 10 & 31, fraction = value.bits & 1023;
    const float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexpf(static_cast<float>(1024 + fraction), exponent - 25)
                                      : static_cast<float>(fraction) / 16777216;
    return value.bits & 0x8000 ? -size : size;
}

inline __half2 __floats2half2_rn(float x, float y) { return {__float2half_rn(x), __float2half_rn(y)}; }

#endif
