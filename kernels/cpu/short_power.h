/* Exponentials of softmax by AVX-512 where shares are rounded to 16 bits or fewer. For a file that has included avx512_vectors.h and vectors.h. */

/* 2^(x - most) for x <= most, with a relative error of 7.5e-5: a twentieth of what rounding it to bf16 costs. 2^-126 where it is less. In units of 2^-23 as an integer, an exponent
 * has its whole part where a float has it, and the rest is the fraction of a number 1 .. 2: few instructions, and those spread over an AMD processor's pipes. */
INLINE vector power_of_difference(vector x, vector most)
{
    const vector unit = all(8388608); /* 2^23 */
    const __m512i scaled = _mm512_cvtps_epi32((__m512)fused(x, unit, -most * unit)); /* -2^31 where it is less than that */
    const integers exponent = (integers)_mm512_max_epi32(scaled, _mm512_set1_epi32(-126 * 0x800000));
    const vector fraction = (vector)((exponent & 0x7fffff) | 0x3f800000);
    const vector polynomial = fused(fused(fused(all(0.07802452f), fraction, all(-0.0080064125f)), fraction, all(0.4777728f)), fraction, all(0.4521343f));
    return (vector)((integers)polynomial + (exponent & -0x800000));
}
