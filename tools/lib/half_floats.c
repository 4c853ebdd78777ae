#include "half_floats.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A half's exponent is 112 less than a float's. Shifted into a float's place and multiplied by 2^112, subnormal ones come out right too. */
static float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
    if ((half & 0x7c00) == 0x7c00) /* infinite, or no number */
        return float_of_bits(sign | 0x7f800000 | rest);
    const float value = float_of_bits(rest) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return float_of_bits(sign | bits);
}

void floats_from_f16(const void *from, size_t count, float *into)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)from + i * sizeof half, sizeof half);
        into[i] = float_of_half(half);
    }
}

void floats_from_bf16(const void *from, size_t count, float *into)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)from + i * sizeof half, sizeof half);
        into[i] = float_of_bits((uint32_t)half << 16);
    }
}

uint16_t f16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) /* no number: one stays one */
        return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (bits >= 0x477ff000) /* from 65520 on */
        return sign | 0x7c00;
    if (bits < 0x38800000) { /* subnormal: adding 1/2 rounds at the place of a half's last bit, 2^-24 */
        float small = float_of_bits(bits) + 0.5f;
        memcpy(&bits, &small, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits - 0x38000000) >> 13));
}
