#include "tinyengine/te_conv.h"

#include "../support/te_requant.h"

#include <string.h>

/* Channel c of x into a dense plane of rows x columns, in_zero where the picture ends. */
static void gather(const te_depthwise_params *p, const int8_t *x, int32_t c, int8_t *plane, int32_t rows,
                   int32_t columns) {
    const int32_t top = p->window.pad_top, left = p->window.pad_left, channels = p->in.c;
    const int32_t last = left + p->in.w < columns ? left + p->in.w : columns;
    memset(plane, p->in_zero, (size_t)(rows * columns));
    for (int32_t r = top; r < rows && r - top < p->in.h; r++) {
        const int8_t *from = x + (r - top) * p->in.w * channels + c;
        for (int32_t k = left; k < last; k++, from += channels) plane[r * columns + k] = *from;
    }
}

void te_depthwise_planar_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_window *k = &p->window;
    const int32_t rows = (p->out.h - 1) * k->sh + (k->kh - 1) * k->dh + 1;
    const int32_t columns = (p->out.w - 1) * k->sw + (k->kw - 1) * k->dw + 1;
    const int32_t taps = k->kh * k->kw, channels = p->out.c;
    const int8_t *w = p->weights;
    int8_t *plane = scratch;
    for (int32_t c = 0; c < channels; c++, w += taps) {
        gather(p, x, c, plane, rows, columns);
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
