/* Residuals, means and average pools, backwards. */
#include "tinyengine/te_backward.h"

#include "../support/te_pixel_sink.h"

/* One pixel times a factor: mantissas to `out`. Returns the exponent. `bit` is that of its
 * first element in the mask. */
static int32_t scale_pixel(const int16_t *g, int32_t exponent, uint32_t channels, const uint32_t *mask,
                           uint32_t bit, int32_t factor, int16_t *out) {
    const int32_t half = 1 << (TE_MANTISSA_BITS - 1);
    uint32_t any = 0, c = 0;
    for (; c + 2 <= channels && bit % 2 == 0; c += 2, bit += 2) {
        const uint32_t two = te_load_word(g + c), bits = mask ? mask[bit >> 5] >> (bit & 31) : 3;
        const int32_t low = te_smlabb(two, (uint32_t)factor, half) >> TE_MANTISSA_BITS;
        const int32_t high = te_smlatb(two, (uint32_t)factor, half) >> TE_MANTISSA_BITS;
        const uint32_t scaled = te_pack_low(bits & 1 ? (uint32_t)low : 0, bits & 2 ? (uint32_t)high : 0);
        any |= scaled;
        memcpy(out + c, &scaled, 4);
    }
    for (; c < channels; c++, bit++) {
        const int32_t m = !mask || mask[bit >> 5] >> (bit & 31) & 1 ? g[c] : 0;
        const int32_t scaled = (m * factor + half) >> TE_MANTISSA_BITS;
        any |= (uint32_t)scaled;
        out[c] = (int16_t)scaled;
    }
    return any ? te_limit_pixel(out, channels, exponent) : te_zero_pixel(out, channels);
}

void te_residual_gradient(const te_residual_gradient_params *p, const void *const *inputs, int16_t *y,
                          void *scratch, te_train_context *context) {
    (void)context;
    const int16_t *g = *inputs++;
    const uint32_t *mask = p->masked ? *inputs++ : 0;
    const int16_t *known = p->joins ? *inputs++ : 0;
    const int8_t *exponents = te_exponents_of(g, p->pixels, p->channels);
    const te_pixel_sink sink = te_sink_of(p->pixels, p->channels, known, y, scratch);
    for (uint32_t i = 0; i < p->pixels; i++) {
        int16_t *own = te_sink_place(&sink, i);
        const uint32_t at = i * p->channels;
        const int32_t exponent =
            scale_pixel(g + at, exponents[i] + p->exponent, p->channels, mask, at, p->factor, own);
        te_sink_pixel(&sink, i, own, exponent);
    }
}

void te_mean_gradient(const te_mean_gradient_params *p, const void *const *inputs, int16_t *y, void *scratch,
                      te_train_context *context) {
    (void)context;
    const uint32_t channels = p->in.c, pixels = (uint32_t)p->in.h * p->in.w;
    const int16_t *g = *inputs++;
    const uint32_t *mask = p->masked ? *inputs++ : 0;
    const int16_t *known = p->joins ? *inputs++ : 0;
    const te_pixel_sink sink = te_sink_of(pixels, channels, known, y, scratch);
    int16_t *own = (int16_t *)(void *)((int8_t *)scratch + ((6 * channels + 3) & ~3u));
    const int32_t exponent =
        scale_pixel(g, te_exponents_of(g, 1, channels)[0] + p->exponent, channels, mask, 0, p->factor, own);
    for (uint32_t i = 0; i < pixels; i++) te_sink_pixel(&sink, i, own, exponent);
}

/* Each window's gradient times the share of its pixels, all at the largest exponent, in place. */
static int32_t share(const te_pool_gradient_params *p, int16_t *g) {
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    const int8_t *exponents = te_exponents(g, pixels, channels);
    const int32_t largest = te_largest_exponent(exponents, pixels);
    for (uint32_t i = 0; i < pixels; i++) {
        int32_t shift = largest - exponents[i];
        if (shift > 31) shift = 31;
        for (uint32_t c = 0; c < channels; c++, g++) {
            const int32_t m = (*g * p->factor[i] + (1 << (TE_MANTISSA_BITS - 1))) >> TE_MANTISSA_BITS;
            *g = (int16_t)te_shift_round(m, shift);
        }
    }
    return largest + p->exponent;
}

void te_pool_gradient(const te_pool_gradient_params *p, const void *const *inputs, int16_t *y, void *scratch,
                      te_train_context *context) {
    (void)context;
    const te_window *k = &p->window;
    const int32_t channels = p->in.c;
    int16_t *g = (int16_t *)(uintptr_t)*inputs++;
    const int16_t *known = p->joins ? *inputs++ : 0;
    const te_pixel_sink sink = te_sink_of((uint32_t)p->in.h * p->in.w, (uint32_t)channels, known, y, scratch);
    const int32_t exponent = share(p, g);
    for (int32_t iy = 0, pixel = 0; iy < p->in.h; iy++)
        for (int32_t ix = 0; ix < p->in.w; ix++, pixel++) {
            memset(sink.sums, 0, 4 * (uint32_t)channels);
            for (int32_t oy = 0; oy < p->out.h; oy++) {
                const int32_t top = oy * k->sh - k->pad_top;
                if (iy < top || iy >= top + k->kh) continue;
                for (int32_t ox = 0; ox < p->out.w; ox++) {
                    const int32_t left = ox * k->sw - k->pad_left;
                    if (ix < left || ix >= left + k->kw) continue;
                    const int16_t *from = g + (oy * p->out.w + ox) * channels;
                    for (int32_t c = 0; c < channels; c++) sink.sums[c] += from[c];
                }
            }
            uint32_t magnitude = 0;
            for (int32_t c = 0; c < channels; c++) magnitude |= te_magnitude(sink.sums[c]);
            te_sink_sums(&sink, (uint32_t)pixel, sink.sums, magnitude, exponent);
        }
}
