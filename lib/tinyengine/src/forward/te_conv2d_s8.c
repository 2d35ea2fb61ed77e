#include "tinyengine/te_conv.h"

#include "../support/te_requant.h"
#include "../support/te_taps.h"

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
