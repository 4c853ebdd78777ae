/* gelu(x) = x Phi(x) where values are rounded to 16 bits or fewer behind it. Included by reduced_source.h. */
#ifdef look_up
/* = x / 2 + g(|x|), g(a) = a (Phi(a) - 1/2), by a table: of the squares c[0] + c[1] a + c[2] a^2 that of number a * GELU_STEPS, rounded, each a minimax fit; the last is a / 2.
 * The error is 1.6e-5 at most, a tenth of what the rounding costs. Half as many instructions as by a polynomial, and those spread over more of a processor's pipes. */
#define GELU_STEPS 6.8f
static const float gelu_table[3][2 * LANES] = {
    {-1.2316012e-07f, -7.8169207e-05f, -0.0013734233f, -0.0067276647f, -0.019857336f, -0.044135172f, -0.081412449f, -0.13120995f,
     -0.19049197f, -0.25406888f, -0.31550419f, -0.36828089f, -0.40693852f, -0.4279305f, -0.43004385f, -0.4143545f,
     -0.38380089f, -0.34249431f, -0.29498038f, -0.24557133f, -0.19786036f, -0.15445697f, -0.11693081f, -0.085916035f,
     -0.06131256f, -0.042522941f, -0.028676938f, -0.018814299f, -0.012013688f, -0.0074690459f, -0.0045227734f, 0},
    {2.4776082e-05f, 0.0016452295f, 0.012935693f, 0.041685071f, 0.092425965f, 0.16563441f, 0.25775799f, 0.36199537f,
     0.46961614f, 0.57151252f, 0.65965909f, 0.72821438f, 0.77410936f, 0.79709584f, 0.79933596f, 0.78469491f,
     0.75792885f, 0.72389847f, 0.68697077f, 0.65063387f, 0.61733776f, 0.58852071f, 0.56476164f, 0.54599613f,
     0.5317421f, 0.52130002f, 0.51390666f, 0.50883877f, 0.50547123f, 0.50329971f, 0.50193959f, 0.5f},
    {0.39829171f, 0.38995725f, 0.36516437f, 0.32645065f, 0.27734584f, 0.22210063f, 0.16514525f, 0.11057039f,
     0.061708655f, 0.020869005f, -0.010756033f, -0.033022854f, -0.046646617f, -0.052939851f, -0.053532101f, -0.050116163f,
     -0.044253673f, -0.037244171f, -0.03006866f, -0.023387443f, -0.017578023f, -0.012794614f, -0.0090337899f, -0.0061951466f,
     -0.004130559f, -0.0026797447f, -0.0016927504f, -0.0010417073f, -0.00062481588f, -0.00036541105f, -0.00020843945f, 0}};

INLINE vector gelu(vector x)
{
    const vector shift = all(12582912.0f); /* 1.5 * 2^23: added, it rounds to a whole number that stands in the low bits */
    const vector a = (vector)((integers)x & INT32_MAX);
    const integers last = (integers)shift + (2 * LANES - 1), number = integers_smaller((integers)fused(a, all(GELU_STEPS), shift), last);
    vector c[3];
    UNROLL for (size_t i = 0; i < 3; i++)
        c[i] = look_up(gelu_table[i], number);
    return fused(x, all(0.5f), fused(fused(c[2], a, c[1]), a, c[0]));
}

#else
/* With an error of 3.4e-5: Phi(u) = 1/2 + u P(u^2), P a minimax fit on |u| <= 4.5. */
INLINE vector gelu(vector x)
{
    static const float coefficients[] = {0.15690212f, -0.077171914f, 0.054818507f, -0.040556382f, 0.02763006f, -0.016742198f, 0.012206629f, -0.0093300417f, 0.0033552085f};
    const vector held = vector_larger(x, all(-4.5f)), u = vector_smaller(held, all(4.5f));
    const vector t = fused(u * u, all(2 / (4.5f * 4.5f)), all(-1));
    vector polynomial = all(coefficients[8]);
    UNROLL for (int i = 7; i >= 0; i--)
        polynomial = fused(polynomial, t, all(coefficients[i]));
    return held * fused(u, polynomial, all(0.5f));
}
#endif
