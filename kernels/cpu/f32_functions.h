/* Exponentials and GELU as exact as f32 is, for a file that has included vectors.h and defined integers and vector_larger. */

/* 2^x for -126 <= x <= 0, with a relative error of 7.5e-8 before rounding: a minimax fit on -0.5 .. 0.5. */
INLINE vector power_of_two(vector x)
{
    static const float coefficients[] = {1.0000001f, 0.69314694f, 0.2402212f, 0.055507131f, 0.009675541f, 0.0013276473f};
    const vector shift = all(12582912.0f); /* 1.5 * 2^23: added, it rounds to a whole number that stands in the low bits */
    vector whole = x + shift;
    vector rest = x - (whole - shift);
    vector polynomial = all(coefficients[5]);
    UNROLL for (int i = 4; i >= 0; i--)
        polynomial = polynomial * rest + all(coefficients[i]);
    return (vector)((integers)polynomial + ((integers)whole << 23));
}

/* gelu(x) = x Phi(x) = max(x, 0) - |x| Phi(-|x|), and log2 Phi(-|x|) is smooth: a polynomial of degree 7, a minimax fit by its effect on gelu, where it is 3e-8
 * at most; less than rounding adds. Beyond 6, |x| is held there: its product with Phi is 6e-9 and has nothing to add. */
INLINE vector gelu(vector x)
{
    static const float coefficients[] = {-0.99999613f, 1.1511629f, -0.45892835f, 0.053123802f, 0.0078107035f, 0.00063592749f, 2.9316047e-07f, -3.1520401e-06f};
    const vector held = vector_larger((vector)((integers)x | INT32_MIN), all(-6)); /* -|x| */
    vector exponent = all(coefficients[7]);
    UNROLL for (int i = 6; i >= 0; i--)
        exponent = exponent * held + all(coefficients[i]);
    return held * power_of_two(exponent) + vector_larger(x, all(0));
}
