#include "tinyengine/te_trained.h"

#include "../support/te_taps.h"
#include "tinyengine/te_requant.h"

#include <string.h>

/* One filter of a convolution, whole. */
static void merge(const te_conv2d_trained_params *p, uint32_t o, int8_t *filter) {
    const uint32_t taps = (uint32_t)p->conv.window.kh * p->conv.window.kw, channels = p->conv.in.c;
    const te_trained_part *t = &p->trained;
    const int8_t *from = t->values + o * taps * t->count;
    memcpy(filter, p->conv.weights + o * taps * channels, taps * channels);
    for (uint32_t k = 0; k < taps; k++, filter += channels)
        for (uint32_t j = 0; j < t->count; j++) filter[t->channels[j]] = *from++;
}

/* Sum over the taps inside the picture; h, v: which these are. */
static int32_t window_sum(const te_conv2d_params *c, const te_taps *v, const te_taps *h, const int8_t *x,
                          const int8_t *filter) {
    const int32_t channels = c->in.c;
    int32_t acc = 0;
    for (int32_t ky = v->first; ky < v->end; ky++)
        for (int32_t kx = h->first; kx < h->end; kx++) {
            const int32_t iy = v->origin + ky * c->window.dh, ix = h->origin + kx * c->window.dw;
            const int8_t *in = x + (iy * c->in.w + ix) * channels;
            const int8_t *w = filter + (ky * c->window.kw + kx) * channels;
            for (int32_t i = 0; i < channels; i++) acc += (in[i] - c->in_zero) * w[i];
        }
    return acc;
}

void te_conv2d_trained_s8(const te_conv2d_trained_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_conv2d_params *c = &p->conv;
    int8_t *filter = scratch;
    for (uint32_t o = 0; o < c->out.c; o++) {
        int8_t *out = y + o;
        merge(p, o, filter);
        for (int32_t oy = 0; oy < c->out.h; oy++) {
            const te_taps v =
                te_taps_of(oy, c->window.sh, c->window.pad_top, c->window.kh, c->window.dh, c->in.h);
            for (int32_t ox = 0; ox < c->out.w; ox++, out += c->out.c) {
                const te_taps h =
                    te_taps_of(ox, c->window.sw, c->window.pad_left, c->window.kw, c->window.dw, c->in.w);
                const int32_t acc = window_sum(c, &v, &h, x, filter);
                *out = te_requantize(te_wrap_add(acc, c->bias[o]), &c->requant, o);
            }
        }
    }
}

void te_depthwise_trained_s8(const te_depthwise_trained_params *p, const int8_t *x, int8_t *y,
                             void *scratch) {
    te_depthwise_params whole = p->depthwise;
    const uint32_t taps = (uint32_t)whole.window.kh * whole.window.kw, outputs = whole.out.c;
    const te_trained_part *t = &p->trained;
    const int8_t *from = t->values;
    int8_t *weights = scratch;
    memcpy(weights, whole.weights, taps * outputs);
    for (uint32_t k = 0; k < taps; k++)
        for (uint32_t j = 0; j < t->count; j++) weights[k * outputs + t->channels[j]] = *from++;
    whole.weights = weights;
    te_depthwise_s8(&whole, x, y);
}

void te_dense_trained_s8(const te_dense_trained_params *p, const int8_t *x, int8_t *y) {
    const int8_t *w = p->weights;
    for (uint32_t o = 0; o < p->out; o++) {
        int32_t acc = 0;
        for (uint32_t i = 0; i < p->in; i++) acc += (x[i] - p->in_zero) * *w++;
        y[o] = te_requantize_once(te_wrap_add(acc, p->bias[o]), &p->requant, o);
    }
}
