/* One layer with weights, backwards: scaling, the gradient of its input, the update of its constants. */
#include "tinyengine/te_backward.h"

#include "../support/te_block_float.h"
#include "../support/te_update.h"

typedef te_layer_gradient_params params;

/* Gradient of the output -> gradient of the sums, in place: masked, times the factors, all pixels at one
 * exponent, which is returned. */
static int32_t scale_aligned(const params *p, int16_t *g, const uint32_t *mask) {
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    const int8_t *exponents = te_exponents(g, pixels, channels);
    const int32_t largest = te_largest_exponent(exponents, pixels);
    uint32_t bit = 0;
    for (uint32_t i = 0; i < pixels; i++) {
        int32_t shift = TE_MANTISSA_BITS + p->headroom + largest - exponents[i];
        if (shift > 31) shift = 31;
        const int32_t half = (int32_t)(1u << (shift - 1));
        for (uint32_t c = 0; c < channels; c++, g++, bit++) {
            const int32_t m = !mask || mask[bit >> 5] >> (bit & 31) & 1 ? *g : 0;
            *g = (int16_t)((m * p->factor[c] + half) >> shift);
        }
    }
    return largest + p->exponent + p->headroom;
}

static void update_bias(const params *p, const int16_t *g, int32_t exponent,
                        const te_train_context *context) {
    const te_trained_bias *b = p->bias;
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    const float rate = te_scale_float(context->rate, exponent);
    for (uint32_t c = 0; c < channels; c++) {
        int32_t total = 0;
        for (uint32_t i = 0; i < pixels; i++) total += g[i * channels + c];
        if (b->scaling[c] == 0.0f) continue; /* a dead channel */
        const float d = (float)total * (rate * b->scaling[c]);
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
    if (p->input_gradient) p->input_gradient(p, g, exponent, known, y, scratch);
    if (p->bias) update_bias(p, g, exponent, context);
    if (p->weight_gradient) p->weight_gradient(p, g, exponent, saved, context);
}
