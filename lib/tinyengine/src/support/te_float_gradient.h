/* What the float kernels of the backward pass share (te_backward_float.h). */
#ifndef TE_FLOAT_GRADIENT_H
#define TE_FLOAT_GRADIENT_H

#include "tinyengine/te_backward_float.h"

#include <string.h>

/* The gradient of an element, 0 where the mask (or NULL) stops it. */
static inline float te_masked(float g, const uint8_t *mask, uint32_t element) {
    return !mask || mask[element >> 3] >> (element & 7) & 1 ? g : 0.0f;
}

/* y before anything is added: what other readers of the tensor have given, which may be the same bytes. */
static inline void te_begin_sums(const float *known, float *y, uint32_t count) {
    if (!known)
        memset(y, 0, sizeof *y * count);
    else if (known != y)
        memcpy(y, known, sizeof *y * count);
}

/* The number of the input pixel that output pixel (oy, ox) reads with tap (ky, kx); -1: padding. */
static inline int32_t te_pixel_read(const te_hwc *in, const te_window *k, int32_t oy, int32_t ox, int32_t ky,
                                    int32_t kx) {
    const int32_t iy = oy * k->sh - k->pad_top + ky * k->dh, ix = ox * k->sw - k->pad_left + kx * k->dw;
    return iy >= 0 && iy < in->h && ix >= 0 && ix < in->w ? iy * in->w + ix : -1;
}

#endif
