#include "tinyengine/te_layout.h"

#include <string.h>

void te_resize_nearest_s8(const te_resize_nearest_params *p, const int8_t *x, int8_t *y) {
    const uint32_t channels = p->in.c;
    for (uint32_t r = 0; r < p->out.h; r++) {
        const int8_t *row = x + (uint32_t)p->rows[r] * p->in.w * channels;
        for (uint32_t c = 0; c < p->out.w; c++, y += channels)
            memmove(y, row + p->columns[c] * channels, channels);
    }
}
