#include "tinyengine/te_conv.h"

#include "../support/te_plane.h"
#include "../support/te_taps.h"
#include "tinyengine/te_requant.h"

/* sum (x[i] - zero) * w[i] over count bytes: the hot loop. */
static int32_t dot(const int8_t *x, const int8_t *w, int32_t count, int32_t zero) {
    int32_t acc = 0;
    for (int32_t i = 0; i < count; i++) acc += (x[i] - zero) * w[i];
    return acc;
}

void te_conv2d_s8(const te_conv2d_params *p, const int8_t *x, int8_t *y) {
    const int32_t channels = p->in.c, row_bytes = p->in.w * channels;
    const int32_t w_row = p->window.kw * channels, w_filter = p->window.kh * w_row;
    const int32_t dh = p->window.dh, dw = p->window.dw;
    for (int32_t oy = 0; oy < p->out.h; oy++) {
        const te_taps v = te_taps_of(oy, p->window.sh, p->window.pad_top, p->window.kh, dh, p->in.h);
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            const te_taps h = te_taps_of(ox, p->window.sw, p->window.pad_left, p->window.kw, dw, p->in.w);
            for (int32_t o = 0; o < p->out.c; o++) {
                const int8_t *filter = p->weights + o * w_filter;
                int32_t acc = 0;
                for (int32_t ky = v.first; ky < v.end; ky++) {
                    const int8_t *row = x + (v.origin + ky * dh) * row_bytes;
                    const int8_t *w = filter + ky * w_row;
                    if (dw == 1) { /* neighbouring taps are neighbouring bytes */
                        acc += dot(row + (h.origin + h.first) * channels, w + h.first * channels,
                                   (h.end - h.first) * channels, p->in_zero);
                        continue;
                    }
                    for (int32_t kx = h.first; kx < h.end; kx++)
                        acc += dot(row + (h.origin + kx * dw) * channels, w + kx * channels, channels,
                                   p->in_zero);
                }
                *y++ = te_requantize(te_wrap_add(acc, p->bias[o]), &p->requant, (uint32_t)o);
            }
        }
    }
}

void te_depthwise_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y) {
    const int32_t channels = p->in.c, outputs = p->out.c, dh = p->window.dh, dw = p->window.dw;
    for (int32_t oy = 0; oy < p->out.h; oy++) {
        const te_taps v = te_taps_of(oy, p->window.sh, p->window.pad_top, p->window.kh, dh, p->in.h);
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            const te_taps h = te_taps_of(ox, p->window.sw, p->window.pad_left, p->window.kw, dw, p->in.w);
            for (int32_t o = 0; o < outputs; o++) {
                const int8_t *in = x + o / p->multiplier;
                int32_t acc = 0;
                for (int32_t ky = v.first; ky < v.end; ky++) {
                    const int8_t *row = in + (v.origin + ky * dh) * p->in.w * channels;
                    const int8_t *w = p->weights + ky * p->window.kw * outputs + o;
                    for (int32_t kx = h.first; kx < h.end; kx++)
                        acc += (row[(h.origin + kx * dw) * channels] - p->in_zero) * w[kx * outputs];
                }
                *y++ = te_requantize(te_wrap_add(acc, p->bias[o]), &p->requant, (uint32_t)o);
            }
        }
    }
}

void te_depthwise_planar_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_window *k = &p->window;
    const te_plane at = te_plane_of(p->in, p->out, k);
    const int32_t taps = k->kh * k->kw, channels = p->out.c, columns = at.columns;
    const int8_t *w = p->weights;
    int8_t *plane = scratch;
    for (int32_t c = 0; c < channels; c++, w += taps) {
        te_plane_gather(&at, x + c, p->in_zero, 0, plane);
        int8_t *out = y + c;
        for (int32_t oy = 0; oy < p->out.h; oy++)
            for (int32_t ox = 0; ox < p->out.w; ox++, out += channels) {
                const int8_t *row = plane + oy * k->sh * columns + ox * k->sw;
                const int8_t *tap = w;
                int32_t acc = 0;
                for (int32_t ky = 0; ky < k->kh; ky++, row += k->dh * columns, tap += k->kw)
                    for (int32_t kx = 0; kx < k->kw; kx++) acc += row[kx * k->dw] * tap[kx];
                *out = te_requantize(te_wrap_add(acc, p->bias[c]), &p->requant, (uint32_t)c);
            }
    }
}

void te_fully_connected_s8(const te_fully_connected_params *p, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->in) {
        const int8_t *w = p->weights;
        for (uint32_t o = 0; o < p->out; o++, w += p->in) {
            int32_t acc = 0;
            for (uint32_t i = 0; i < p->in; i++) acc += x[i] * w[i];
            *y++ = te_requantize_once(te_wrap_add(acc, p->bias[o]), &p->requant, o);
        }
    }
}
