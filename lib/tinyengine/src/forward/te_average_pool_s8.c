#include "tinyengine/te_pool.h"

#include "../support/te_requant.h"
#include "../support/te_taps.h"

void te_average_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y) {
    const int32_t channels = p->in.c, row_bytes = p->in.w * channels;
    for (int32_t oy = 0; oy < p->out.h; oy++) {
        const te_taps v = te_taps_of(oy, p->window.sh, p->window.pad_top, p->window.kh, 1, p->in.h);
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            const te_taps h = te_taps_of(ox, p->window.sw, p->window.pad_left, p->window.kw, 1, p->in.w);
            const int32_t count = (v.end - v.first) * (h.end - h.first);
            const int8_t *corner = x + (v.origin + v.first) * row_bytes + (h.origin + h.first) * channels;
            for (int32_t c = 0; c < channels; c++) {
                int32_t acc = 0;
                for (int32_t r = 0; r < v.end - v.first; r++)
                    for (int32_t k = 0; k < h.end - h.first; k++)
                        acc += corner[r * row_bytes + k * channels + c];
                acc = (acc > 0 ? acc + count / 2 : acc - count / 2) / count;
                *y++ = (int8_t)te_clamp(acc, p->min, p->max);
            }
        }
    }
}
