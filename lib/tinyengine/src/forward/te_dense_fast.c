/* Fully connected layer: widens the input, then runs the kernels of te_dense_fast_dsp.S. */
#include "tinyengine/te_dense_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"

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

#if !TE_DSP /* the twins of te_dense_fast_dsp.S */

static int32_t sum_of(const te_dense_args *a, const uint32_t *w, uint32_t output) {
    int32_t sum = (int32_t)w[output];
    for (uint32_t g = 0; g < a->groups; g++) {
        const uint32_t bytes = w[4 + 4 * g + output];
        sum = te_smlad(a->x[2 * g], te_widen_even(bytes), sum);
        sum = te_smlad(a->x[2 * g + 1], te_widen_odd(bytes), sum);
    }
    return sum;
}

typedef int32_t round_fn(int32_t sum, const int32_t *constants);

static int32_t exact(int32_t sum, const int32_t *r) {
    return te_round_exact(2 * sum, r[0], r[1], r[2]);
}

static int32_t exact_wide(int32_t sum, const int32_t *r) {
    return te_round_wide(sum, r[0], r[1], r[2], r[3], r[4]);
}

static int32_t once(int32_t sum, const int32_t *r) {
    return te_round_once(sum, r[0], r[1], r[2]);
}

static int32_t once_wide(int32_t sum, const int32_t *r) {
    return te_round_once((int32_t)((uint32_t)sum << r[3]), r[0], r[1], r[2]);
}

static int32_t fast(int32_t sum, const int32_t *r) {
    return te_round_fast(sum, r[0], r[1]);
}

static void quads(const te_dense_args *a, uint32_t round_words, round_fn *round) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++, w += 4 + 4 * a->groups + round_words)
        for (uint32_t i = 0; i < 4; i++) {
            const int32_t *constants = (const int32_t *)(w + 4 + 4 * a->groups + round_words / 4 * i);
            a->y[4 * q + i] = (int8_t)round(sum_of(a, w, i), constants);
        }
}

void te_dense_exact(const te_dense_args *args) {
    quads(args, TE_DENSE_ROUND, exact);
}

void te_dense_exact_wide(const te_dense_args *args) {
    quads(args, TE_DENSE_ROUND_WIDE, exact_wide);
}

void te_dense_once(const te_dense_args *args) {
    quads(args, TE_DENSE_ROUND, once);
}

void te_dense_once_wide(const te_dense_args *args) {
    quads(args, TE_DENSE_ROUND_WIDE, once_wide);
}

void te_dense_fast(const te_dense_args *args) {
    quads(args, TE_DENSE_ROUND_FAST, fast);
}

#endif
