/* Fully connected layer: widens the input, then runs the kernels of te_dense_fast_{dsp.S,ref.c}. */
#include "tinyengine/te_dense_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_widen.h"

#include <string.h>

static void widen(const int8_t *x, uint32_t count, uint32_t *to) {
    uint32_t bytes = 0;
    for (; count >= 4; count -= 4, x += 4) {
        memcpy(&bytes, x, 4);
        *to++ = te_widen_even(bytes);
        *to++ = te_widen_odd(bytes);
    }
    if (!count) return;
    bytes = 0;
    memcpy(&bytes, x, count);
    *to++ = te_widen_even(bytes);
    *to++ = te_widen_odd(bytes);
}

void te_dense_fast_s8(const te_dense_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t groups = (p->in + 3) / 4, whole = p->out / 4, rest = p->out % 4;
    te_dense_args args = {scratch, p->weights, y, whole, groups};
    widen(x, p->in, scratch);
    if (whole) p->quads(&args);
    if (rest) {
        int8_t last[4];
        args.weights += whole * (4 + 4 * groups + p->round_words);
        args.y = last;
        args.quads = 1;
        p->quads(&args);
        memcpy(y + 4 * whole, last, rest);
    }
    te_clamp_s8(y, p->out, p->min, p->max);
}
