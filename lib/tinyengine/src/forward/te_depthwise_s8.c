#include "tinyengine/te_conv.h"

#include "../support/te_requant.h"
#include "../support/te_taps.h"

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
