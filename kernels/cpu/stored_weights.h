/* Weights as they are packed: in f32, or in 16 bits where a model's file has no more, with which a model takes no more memory than its file. They are the same numbers, so results have
 * the same bits. Included by kernels_source.h. */

static size_t stored_size(enum float_type stored)
{
    return stored == FLOATS_F32 ? sizeof(float) : sizeof(uint16_t);
}

/* A weight that is a number of that type. An f16's exponent is 112 less than a float's, so times 2^-112 its bits stand where a float has them, subnormal ones' too. */
INLINE uint16_t narrowed(const enum float_type stored, float weight)
{
    const float small = weight * 0x1p-112f;
    uint32_t bits, small_bits;
    memcpy(&bits, &weight, sizeof bits);
    if (stored == FLOATS_BF16)
        return (uint16_t)(bits >> 16);
    memcpy(&small_bits, &small, sizeof small_bits);
    const uint32_t rest = isfinite(weight) ? small_bits >> 13 & 0x7fff : 0x7c00 | (bits >> 13 & 0x3ff);
    return (uint16_t)((bits >> 16 & 0x8000) | rest);
}

INLINE vector widened(const enum float_type stored, const uint16_t *at)
{
    typedef uint32_t wide_bits __attribute__((vector_size(4 * LANES)));
    uint16_t halves __attribute__((vector_size(2 * LANES)));
    memcpy(&halves, at, sizeof halves);
#ifdef floats_of_halves
    if (stored == FLOATS_F16)
        return floats_of_halves(halves);
#endif
    const wide_bits bits = __builtin_convertvector(halves, wide_bits);
    if (stored == FLOATS_BF16)
        return (vector)(bits << 16);
    const wide_bits sign = (bits & 0x8000) << 16, rest = (bits & 0x7fff) << 13;
    const wide_bits no_number = (wide_bits)(rest >= 0x0f800000) & 0x7f800000; /* infinite ones too */
    return (vector)(sign | no_number | (wide_bits)((vector)rest * all(0x1p112f)));
}

/* Packs some of an output's weights, `apart` numbers from each other. In f32 they are multiplied by the output's scale, which 16 bits might not hold. */
INLINE void store_weights(const struct linear *layer, size_t at, size_t count, const float *weights, float scale, size_t apart)
{
    float *const wide = layer->weights;
    uint16_t *const narrow = layer->weights;
    switch (layer->stored) {
    case FLOATS_F16:
        for (size_t p = 0; p < count; p++)
            narrow[at + p * apart] = narrowed(FLOATS_F16, weights[p]);
        break;
    case FLOATS_BF16:
        for (size_t p = 0; p < count; p++)
            narrow[at + p * apart] = narrowed(FLOATS_BF16, weights[p]);
        break;
    default:
        for (size_t p = 0; p < count; p++)
            wide[at + p * apart] = weights[p] * scale;
    }
}

INLINE void widen(const enum float_type stored, const struct linear *layer, size_t output)
{
    const uint16_t *from = (const uint16_t *)layer->weights + output * layer->inputs;
    vector scale[LINEAR_WIDTH];
    UNROLL for (size_t j = 0; j < LINEAR_WIDTH; j++)
        scale[j] = weight_scale(layer, output + j * LANES);
    for (size_t p = 0; p < layer->inputs; p++)
        UNROLL for (size_t j = 0; j < LINEAR_WIDTH; j++) {
            const size_t at = p * LINEAR_PANEL + j * LANES;
            store(layer->widened + at, widened(stored, from + at) * scale[j]);
        }
}

/* The panel that begins with an output, as products read it: valid until the next one is asked for. */
static const float *panel_of(const struct linear *layer, size_t output)
{
    switch (layer->stored) {
    case FLOATS_F16: widen(FLOATS_F16, layer, output); return layer->widened;
    case FLOATS_BF16: widen(FLOATS_BF16, layer, output); return layer->widened;
    default: return (const float *)layer->weights + output * layer->inputs;
    }
}
