/* One layer with weights, backwards: scaling, the gradient of its input, the update of its constants. */
#include "tinyengine/te_backward.h"

#include "../support/te_block_float.h"
#include "../support/te_pairs.h"
#include "../support/te_update.h"

typedef te_layer_gradient_params params;

/* Two neighbouring values each: masked, times the factors, shifted right. */
static void scale_pairs(int16_t *g, const int16_t *factor, uint32_t count, uint32_t bits, int32_t shift) {
    static const uint32_t keep[4] = {0, 0x0000ffffu, 0xffff0000u, 0xffffffffu};
    const int32_t half = (int32_t)(1u << (shift - 1));
    for (uint32_t c = 0; c < count; c += 2, bits >>= 2) {
        const uint32_t m = te_load_pair(g + c) & keep[bits & 3], f = te_load_pair(factor + c);
        const int32_t low = te_smlabb(m, f, half) >> shift, high = te_smlatt(m, f, half) >> shift;
        te_store_pair(g + c, te_pack_low((uint32_t)low, (uint32_t)high));
    }
}

static void scale_single(int16_t *g, int32_t factor, uint32_t bit, int32_t shift) {
    *g = (int16_t)(((bit ? *g : 0) * factor + (int32_t)(1u << (shift - 1))) >> shift);
}

/* One pixel; `bit`: the number of its first element in the mask. */
static void scale_pixel(const params *p, int16_t *g, const uint32_t *mask, uint32_t bit, int32_t shift) {
    const uint32_t channels = p->out.c;
    for (uint32_t c = 0, count; c < channels; c += count, bit += count) {
        const uint32_t at = bit & 31;
        const uint32_t bits = mask ? mask[bit >> 5] >> at : 0xffffffffu;
        count = channels - c < 32 - at ? channels - c : 32 - at;
        if (count > 1)
            count &= ~1u;
        else
            scale_single(g + c, p->factor[c], bits & 1, shift);
        if (count > 1) scale_pairs(g + c, p->factor + c, count, bits, shift);
    }
}

/* Gradient of the output -> gradient of the sums, in place: masked, times the factors, all pixels at one
 * exponent, which is returned. */
static int32_t scale_aligned(const params *p, int16_t *g, const uint32_t *mask) {
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
    if (c + 1 < channels)
        for (uint32_t i = 0; i < pixels; i++) {
            const uint32_t pair = te_load_pair(g + i * channels + c);
            low = te_smlabb(pair, 1, low);
            high = te_smlatb(pair, 1, high);
        }
    else
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
        if (b->scaling[c] == 0.0f) continue; /* a dead channel */
        const float d = (float)total[c % 2] * (rate * b->scaling[c]);
        b->values[c] = te_update_bias(b->values[c], b->limit, d, context->key, b->first + c);
    }
}

void te_layer_gradient(const params *p, const int8_t *const *inputs, int8_t *y, void *scratch,
                       te_train_context *context) {
    int16_t *g = (int16_t *)(uintptr_t)*inputs++;
    const uint32_t *mask = p->masked ? (const uint32_t *)(const void *)*inputs++ : 0;
    const int8_t *saved = p->saved ? *inputs++ : 0;
    const int8_t *known = p->joins ? *inputs++ : 0;
    const int32_t exponent = scale_aligned(p, g, mask);
    if (p->bias) update_bias(p, g, exponent, context); /* before y, which may take the place of g */
    if (p->input_gradient) p->input_gradient(p, g, exponent, known, y, scratch);
    if (p->weight_gradient) p->weight_gradient(p, g, exponent, saved, scratch, context);
}
