/* One channel of a picture with its padding, gathered so that outputs may replace the channel where it lies. */
#ifndef TE_PLANE_H
#define TE_PLANE_H

#include "tinyengine/te_types.h"

#include <string.h>

typedef struct te_plane {
    int32_t rows, columns; /* as far as the windows reach */
    int32_t top, left;     /* padding before the picture */
    te_hwc in;
} te_plane;

static inline te_plane te_plane_of(te_hwc in, te_hwc out, const te_window *k) {
    const te_plane plane = {.rows = (out.h - 1) * k->sh + (k->kh - 1) * k->dh + 1,
                            .columns = (out.w - 1) * k->sw + (k->kw - 1) * k->dw + 1,
                            .top = k->pad_top,
                            .left = k->pad_left,
                            .in = in};
    return plane;
}

/* x: the channel's first value; `to`: rows * columns values, `zero` beyond the picture, XORed with `flip`. */
TE_INLINE void te_plane_gather(const te_plane *p, const int8_t *x, int32_t zero, int32_t flip, void *to) {
    int8_t *plane = to;
    const int32_t channels = p->in.c;
    const int32_t last = p->left + p->in.w < p->columns ? p->left + p->in.w : p->columns;
    memset(plane, zero ^ flip, (size_t)(p->rows * p->columns));
    for (int32_t r = p->top; r < p->rows && r - p->top < p->in.h; r++) {
        const int8_t *from = x + (r - p->top) * p->in.w * channels;
        for (int32_t k = p->left; k < last; k++, from += channels)
            plane[r * p->columns + k] = (int8_t)(*from ^ flip);
    }
}

#endif
