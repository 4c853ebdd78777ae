/* Weights as they are packed: in f32, or in 16 bits where a model's file has no more, with which a model takes no more memory than its file. They are the same numbers, so results have
 * the same bits. Included by kernels_source.h. */

static size_t stored_size(enum float_type stored)
{
    return stored == FLOATS_F32 ? sizeof(float) : sizeof(uint16_t);
}

typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

/* Weights that are numbers of that type. An f16's exponent is 112 less than a float's, so times 2^-112 its bits stand where a float has them, subnormal ones' too. */
INLINE halves narrowed(const enum float_type stored, vector weights)
{
    const words bits = (words)weights, rest = (words)(weights * all(0x1p-112f)) >> 13;
    const words no_number = (words)((bits & 0x7f800000) == 0x7f800000); /* infinite ones too */
    const words half = (bits >> 16 & 0x8000) | (rest & 0x7fff & ~no_number) | ((0x7c00 | (bits >> 13 & 0x3ff)) & no_number);
    return __builtin_convertvector(stored == FLOATS_BF16 ? bits >> 16 : half, halves);
}

INLINE vector widened(const enum float_type stored, const uint16_t *at)
{
    halves some;
    memcpy(&some, at, sizeof some);
#ifdef floats_of_halves
    if (stored == FLOATS_F16)
        return floats_of_halves(some);
#endif
    const words bits = __builtin_convertvector(some, words);
    if (stored == FLOATS_BF16)
        return (vector)(bits << 16);
    const words sign = (bits & 0x8000) << 16, rest = (bits & 0x7fff) << 13;
    const words no_number = (words)((integers)rest >= 0x0f800000) & 0x7f800000;
    return (vector)(sign | no_number | (words)((vector)rest * all(0x1p112f)));
}

enum { PACKED_AT_ONCE = 64 };

INLINE void store_halves(const enum float_type stored, uint16_t *to, size_t apart, const float *weights, size_t count)
{
    uint16_t row[PACKED_AT_ONCE];
    for (size_t p = 0; p < count; p += LANES) {
        const halves some = narrowed(stored, count - p < LANES ? load_some(weights + p, count - p) : load(weights + p));
        memcpy(row + p, &some, sizeof some);
    }
    for (size_t p = 0; p < count; p++)
        to[p * apart] = row[p];
}

/* Stores some of an output's weights, PACKED_AT_ONCE at most, as number `at` and each `apart` from the one before. In f32 they are multiplied by the output's scale, which 16 bits might
 * not hold. */
INLINE void store_weights(const struct linear *layer, size_t at, size_t apart, const float *weights, size_t count, float scale)
{
    float *const wide = layer->weights;
    uint16_t *const narrow = layer->weights;
    switch (layer->stored) {
    case FLOATS_F16: store_halves(FLOATS_F16, narrow + at, apart, weights, count); break;
    case FLOATS_BF16: store_halves(FLOATS_BF16, narrow + at, apart, weights, count); break;
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
