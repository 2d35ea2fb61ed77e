/* One layer with weights, backwards: scaling, the gradient of its input, the update of its constants. */
#include "tinyengine/te_backward.h"

#include "../support/te_block_float.h"
#include "../support/te_pairs.h"
#include "../support/te_update.h"

typedef te_layer_gradient_params params;

/* One pixel; `bit`: the number of its first element in the mask. */
static void scale_pixel(const params *p, int16_t *g, const uint8_t *mask, uint32_t bit, int32_t shift) {
    const uint32_t channels = p->out.c;
    if (channels % 16 == 0) {
        te_scale_16(g, p->factor, mask ? mask + bit / 8 : 0, channels / 16, shift);
        return;
    }
    const int32_t half = (int32_t)(1u << (shift - 1));
    for (uint32_t c = 0; c < channels; c++, bit++) {
        const int32_t m = !mask || mask[bit >> 3] >> (bit & 7) & 1 ? g[c] : 0;
        g[c] = (int16_t)((m * p->factor[c] + half) >> shift);
    }
}

/* Gradient of the output -> gradient of the sums, in place: masked, times the factors, all pixels at one
 * exponent, which is returned. */
static int32_t scale_aligned(const params *p, int16_t *g, const uint8_t *mask) {
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    const int8_t *exponents = te_exponents(g, pixels, channels);
    const int32_t largest = te_largest_exponent(exponents, pixels);
    for (uint32_t i = 0; i < pixels; i++) {
        const int32_t shift = TE_MANTISSA_BITS + p->headroom + largest - exponents[i];
        scale_pixel(p, g + i * channels, mask, i * channels, shift > 31 ? 31 : shift);
    }
    return largest + p->exponent + p->headroom;
}

/* Sums over the pixels of channels c and, unless it is the last, c + 1. */
static void column_sums(const params *p, const int16_t *g, uint32_t c, int32_t total[2]) {
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    int32_t low = 0, high = 0;
    if (c + 1 < channels) {
        const int16_t *from = g + c;
        uint32_t i = 0;
        for (; i + 4 <= pixels; i += 4, from += 4 * channels) {
            const uint32_t p0 = te_load_word(from), p1 = te_load_word(from + channels),
                           p2 = te_load_word(from + 2 * channels), p3 = te_load_word(from + 3 * channels);
            low = te_smlabb(p3, 1, te_smlabb(p2, 1, te_smlabb(p1, 1, te_smlabb(p0, 1, low))));
            high = te_smlatb(p3, 1, te_smlatb(p2, 1, te_smlatb(p1, 1, te_smlatb(p0, 1, high))));
        }
        for (; i < pixels; i++, from += channels) {
            low += from[0];
            high += from[1];
        }
    } else
        for (uint32_t i = 0; i < pixels; i++) low += g[i * channels + c];
    total[0] = low;
    total[1] = high;
}

static void update_bias(const params *p, const int16_t *g, int32_t exponent,
                        const te_train_context *context) {
    const te_trained_bias *b = p->bias;
    const float rate = te_scale_float(context->rate, exponent);
    int32_t total[2] = {0, 0};
    for (uint32_t c = 0; c < p->out.c; c++) {
        if (c % 2 == 0) column_sums(p, g, c, total);
        te_update_one_bias(b, c, (float)total[c % 2], rate, context);
    }
}

void te_layer_gradient(const params *p, const void *const *inputs, int16_t *y, void *scratch,
                       te_train_context *context) {
    int16_t *g = (int16_t *)(uintptr_t)*inputs++;
    const uint8_t *mask = p->masked ? *inputs++ : 0;
    const int8_t *saved = p->saved ? *inputs++ : 0;
    const int16_t *known = p->joins ? *inputs++ : 0;
    const int32_t exponent = scale_aligned(p, g, mask);
    if (p->bias) update_bias(p, g, exponent, context); /* before y, which may take the place of g */
    if (p->input_gradient) p->input_gradient(p, g, exponent, known, y, scratch);
    if (p->weight_gradient) p->weight_gradient(p, g, exponent, saved, scratch, context);
}
