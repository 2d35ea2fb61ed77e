/* Residuals, means and average pools, backwards, in single precision. */
#include "../support/te_float_gradient.h"

void te_residual_gradient_float(const te_residual_gradient_float_params *p, const void *const *inputs,
                                float *y, te_train_context *context) {
    (void)context;
    const float *g = *inputs++;
    const uint8_t *mask = p->masked ? *inputs++ : 0;
    const float *known = p->joins ? *inputs++ : 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const float own = te_masked(g[i], mask, i) * p->factor;
        y[i] = known ? known[i] + own : own;
    }
}

void te_mean_gradient_float(const te_mean_gradient_float_params *p, const void *const *inputs, float *y,
                            te_train_context *context) {
    (void)context;
    const float *g = *inputs++;
    const uint8_t *mask = p->masked ? *inputs++ : 0;
    const float *known = p->joins ? *inputs++ : 0;
    const uint32_t channels = p->in.c, pixels = (uint32_t)p->in.h * p->in.w;
    te_begin_sums(known, y, pixels * channels);
    for (uint32_t i = 0; i < pixels; i++)
        for (uint32_t c = 0; c < channels; c++, y++) *y += te_masked(g[c], mask, c) * p->factor;
}

void te_pool_gradient_float(const te_pool_gradient_float_params *p, const void *const *inputs, float *y,
                            te_train_context *context) {
    (void)context;
    const te_window *k = &p->window;
    const float *g = *inputs++, *factor = p->factor;
    const float *known = p->joins ? *inputs++ : 0;
    const uint32_t channels = p->in.c;
    te_begin_sums(known, y, (uint32_t)p->in.h * p->in.w * channels);
    for (int32_t oy = 0; oy < p->out.h; oy++)
        for (int32_t ox = 0; ox < p->out.w; ox++, g += channels, factor++)
            for (int32_t ky = 0; ky < k->kh; ky++)
                for (int32_t kx = 0; kx < k->kw; kx++) {
                    const int32_t pixel = te_pixel_read(&p->in, k, oy, ox, ky, kx);
                    if (pixel < 0) continue;
                    float *to = y + (uint32_t)pixel * channels;
                    for (uint32_t c = 0; c < channels; c++) to[c] += g[c] * *factor;
                }
}
