/* Convolutions of any kernel, stride and dilation, and fully connected layers (one pixel): portable loops. */
#include "tinyengine/te_backward.h"

#include "../support/te_pixel_sink.h"
#include "../support/te_update.h"

typedef te_layer_gradient_params params;

/* Which output reads input position `at` with tap k; -1: none. */
static int32_t reader(int32_t at, int32_t pad, int32_t tap, int32_t dilation, int32_t stride, int32_t size) {
    const int32_t from = at + pad - tap * dilation;
    if (from < 0 || from % stride) return -1;
    return from / stride < size ? from / stride : -1;
}

/* sums += what output pixel `g` gives through one tap; w: its weights, `step` apart from output to output. */
static void gather(const int16_t *g, uint32_t outputs, const int8_t *w, uint32_t step, uint32_t count,
                   int32_t *sums) {
    for (uint32_t o = 0; o < outputs; o++, w += step)
        for (uint32_t i = 0; i < count; i++) sums[i] += g[o] * w[i];
}

void te_conv_input_gradient(const params *p, const int16_t *g, int32_t exponent, const int16_t *known,
                            int16_t *y, void *scratch) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, taps = (uint32_t)k->kh * k->kw;
    const te_trained_weights *t = p->trained;
    const te_pixel_sink sink = te_sink_of((uint32_t)p->in.h * p->in.w, channels, known, y, scratch);
    int32_t *part =
        (int32_t *)(void *)((int8_t *)scratch + ((6 * channels + 3) & ~3u)); /* trained channels */
    for (int32_t iy = 0, pixel = 0; iy < p->in.h; iy++)
        for (int32_t ix = 0; ix < p->in.w; ix++, pixel++) {
            memset(sink.sums, 0, 4 * channels);
            if (t) memset(part, 0, 4u * t->count);
            for (int32_t ky = 0, tap = 0; ky < k->kh; ky++) {
                const int32_t oy = reader(iy, k->pad_top, ky, k->dh, k->sh, p->out.h);
                for (int32_t kx = 0; kx < k->kw; kx++, tap++) {
                    const int32_t ox = reader(ix, k->pad_left, kx, k->dw, k->sw, p->out.w);
                    if (oy < 0 || ox < 0) continue;
                    const int16_t *from = g + (oy * p->out.w + ox) * p->out.c;
                    gather(from, p->out.c, p->weights + (uint32_t)tap * channels, taps * channels, channels,
                           sink.sums);
                    if (t)
                        gather(from, p->out.c, t->values + tap * t->count, taps * t->count, t->count, part);
                }
            }
            uint32_t magnitude = 0;
            for (uint32_t j = 0; t && j < t->count; j++) sink.sums[t->channels[j]] = part[j];
            for (uint32_t i = 0; i < channels; i++) magnitude |= te_magnitude(sink.sums[i]);
            te_sink_sums(&sink, (uint32_t)pixel, sink.sums, magnitude, exponent);
        }
}

/* Sum over the output pixels of gradient times (input - zero point) under one tap. */
static int64_t correlate(const params *p, const int16_t *g, const int8_t *x, int32_t ky, int32_t kx) {
    const te_window *k = &p->window;
    int64_t total = 0;
    for (int32_t oy = 0; oy < p->out.h; oy++) {
        const int32_t iy = oy * k->sh - k->pad_top + ky * k->dh;
        if (iy < 0 || iy >= p->in.h) continue;
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            const int32_t ix = ox * k->sw - k->pad_left + kx * k->dw;
            if (ix < 0 || ix >= p->in.w) continue;
            total += g[(oy * p->out.w + ox) * p->out.c] * (x[iy * p->in.w + ix] - p->in_zero);
        }
    }
    return total;
}

void te_conv_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                             void *scratch, const te_train_context *context) {
    (void)scratch;
    const te_trained_weights *t = p->trained;
    const uint32_t pitch = ((uint32_t)p->in.h * p->in.w + 3) & ~3u;
    const float rate = te_scale_float(context->rate, exponent);
    uint32_t n = 0;
    for (uint32_t o = 0; o < p->out.c; o++) {
        const float factor = rate * t->scaling[o];
        for (int32_t ky = 0; ky < p->window.kh; ky++)
            for (int32_t kx = 0; kx < p->window.kw; kx++)
                for (uint32_t j = 0; j < t->count; j++, n++) {
                    const int64_t total = correlate(p, g + o, saved + j * pitch, ky, kx);
                    te_update_one(t, n, (float)total, factor, context);
                }
    }
}

void te_depthwise_input_gradient(const params *p, const int16_t *g, int32_t exponent, const int16_t *known,
                                 int16_t *y, void *scratch) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, outputs = p->out.c, multiplier = p->multiplier;
    const te_trained_weights *t = p->trained;
    const te_pixel_sink sink = te_sink_of((uint32_t)p->in.h * p->in.w, channels, known, y, scratch);
    for (int32_t iy = 0, pixel = 0; iy < p->in.h; iy++)
        for (int32_t ix = 0; ix < p->in.w; ix++, pixel++) {
            memset(sink.sums, 0, 4 * channels);
            for (int32_t ky = 0, tap = 0; ky < k->kh; ky++) {
                const int32_t oy = reader(iy, k->pad_top, ky, k->dh, k->sh, p->out.h);
                for (int32_t kx = 0; kx < k->kw; kx++, tap++) {
                    const int32_t ox = reader(ix, k->pad_left, kx, k->dw, k->sw, p->out.w);
                    if (oy < 0 || ox < 0) continue;
                    const int16_t *from = g + (oy * p->out.w + ox) * p->out.c;
                    const int8_t *w = p->weights + (uint32_t)tap * outputs;
                    for (uint32_t c = 0, o = 0; c < channels; c++)
                        for (uint32_t m = 0; m < multiplier; m++, o++) sink.sums[c] += from[o] * w[o];
                    for (uint32_t j = 0; t && j < t->count; j++) { /* trained ones are elsewhere */
                        const uint32_t o = t->channels[j];
                        const int32_t trained = t->values[(uint32_t)tap * t->count + j];
                        sink.sums[o / multiplier] += from[o] * (trained - w[o]);
                    }
                }
            }
            uint32_t magnitude = 0;
            for (uint32_t i = 0; i < channels; i++) magnitude |= te_magnitude(sink.sums[i]);
            te_sink_sums(&sink, (uint32_t)pixel, sink.sums, magnitude, exponent);
        }
}

void te_depthwise_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                                  void *scratch, const te_train_context *context) {
    (void)scratch;
    const te_trained_weights *t = p->trained;
    const uint32_t pitch = ((uint32_t)p->in.h * p->in.w + 3) & ~3u;
    const float rate = te_scale_float(context->rate, exponent);
    uint32_t n = 0;
    for (int32_t ky = 0; ky < p->window.kh; ky++)
        for (int32_t kx = 0; kx < p->window.kw; kx++)
            for (uint32_t j = 0; j < t->count; j++, n++) {
                const uint32_t o = t->channels[j];
                const int64_t total = correlate(p, g + o, saved + j * pitch, ky, kx);
                te_update_one(t, n, (float)total, rate * t->scaling[o], context);
            }
}
