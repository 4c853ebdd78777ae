#include "half_floats.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

enum { AT_ONCE = 8 };
typedef uint16_t halves __attribute__((vector_size(2 * AT_ONCE)));
typedef uint32_t words __attribute__((vector_size(4 * AT_ONCE)));
typedef int32_t integers __attribute__((vector_size(4 * AT_ONCE))); /* which SSE2 can compare */
typedef float floats __attribute__((vector_size(4 * AT_ONCE)));

/* A half's exponent is 112 less than a float's. Shifted into a float's place and multiplied by 2^112, subnormal ones come out right too. */
static void eight_from_f16(const void *from, float *into)
{
    halves eight;
    memcpy(&eight, from, sizeof eight);
    const words bits = __builtin_convertvector(eight, words), sign = (bits & 0x8000) << 16, rest = (bits & 0x7fff) << 13;
    const words no_number = (words)((integers)rest >= 0x0f800000) & 0x7f800000; /* infinite ones too */
    const words result = sign | no_number | (words)((floats)rest * 0x1p112f);
    memcpy(into, &result, sizeof result);
}

static void eight_from_bf16(const void *from, float *into)
{
    halves eight;
    memcpy(&eight, from, sizeof eight);
    const words result = __builtin_convertvector(eight, words) << 16;
    memcpy(into, &result, sizeof result);
}

static inline void by_eights(void (*eight)(const void *, float *), const char *from, size_t count, float *into)
{
    size_t i = 0;
    for (; i + AT_ONCE <= count; i += AT_ONCE)
        eight(from + i * sizeof(uint16_t), into + i);
    if (i < count) {
        uint16_t rest[AT_ONCE] = {0};
        float last[AT_ONCE];
        memcpy(rest, from + i * sizeof *rest, (count - i) * sizeof *rest);
        eight(rest, last);
        memcpy(into + i, last, (count - i) * sizeof *last);
    }
}

void floats_from_f16(const void *from, size_t count, float *into)
{
    by_eights(eight_from_f16, from, count, into);
}

void floats_from_bf16(const void *from, size_t count, float *into)
{
    by_eights(eight_from_bf16, from, count, into);
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
