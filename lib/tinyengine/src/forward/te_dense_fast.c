/* Fully connected layer: widens the input, then runs the kernels of te_dense_fast_dsp.S. */
#include "tinyengine/te_dense_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_four_sums.h"
#include "../support/te_requant_fixed.h"

#include <string.h>

void te_dense_fast_s8(const te_dense_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t groups = (p->in + 3) / 4, whole = p->out / 4, rest = p->out % 4;
    te_dense_args args = {scratch, p->weights, y, whole, groups};
    te_widen(x, p->in, scratch);
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

typedef const uint32_t *sums_fn(const uint32_t *w, const uint32_t *x, uint32_t groups, const uint32_t *bias,
                                int32_t *sums);

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

static void quads(const te_dense_args *a, sums_fn *sums_of, uint32_t round_words, round_fn *round) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++, w += round_words) {
        int32_t sums[4];
        w = sums_of(w + 4, a->x, a->groups, w, sums);
        for (uint32_t i = 0; i < 4; i++)
            ((int8_t *)a->y)[4 * q + i] = (int8_t)round(sums[i], (const int32_t *)(w + round_words / 4 * i));
    }
}

/* Sums of four outputs, where a step takes every `stride`-th word of x. The biases of a pair's second output are packed as
 * its weights are, and its sum keeps 24 bits. */
static const uint32_t *sums_of_pairs(const uint32_t *w, const uint32_t *x, uint32_t stride, uint32_t groups,
                                     const uint32_t *bias, int32_t *sums) {
    memset(sums, 0, 4 * sizeof *sums);
    for (uint32_t g = 0; g < 2 * groups; g++, w += 2, x += stride) {
        te_two_rows(w[0], *x, sums, sums + 1);
        te_two_rows(w[1], *x, sums + 2, sums + 3);
    }
    for (uint32_t i = 0; i < 4; i += 2) {
        const uint32_t second = bias[i + 1] - bias[i] + ((uint32_t)sums[i + 1] << 8);
        sums[i] = te_wrap_add(sums[i], (int32_t)bias[i]);
        sums[i + 1] = (int32_t)second >> 8;
    }
    return w;
}

static const uint32_t *pairs(const uint32_t *w, const uint32_t *x, uint32_t groups, const uint32_t *bias,
                             int32_t *sums) {
    return sums_of_pairs(w, x, 1, groups, bias, sums);
}

#define DENSE(name, sums_of, round_words, round)                                                             \
    void name(const te_dense_args *args) {                                                                   \
        quads(args, sums_of, round_words, round);                                                            \
    }

DENSE(te_dense_exact, te_four_rows, TE_DENSE_ROUND, exact)
DENSE(te_dense_exact_wide, te_four_rows, TE_DENSE_ROUND_WIDE, exact_wide)
DENSE(te_dense_once, te_four_rows, TE_DENSE_ROUND, once)
DENSE(te_dense_once_wide, te_four_rows, TE_DENSE_ROUND_WIDE, once_wide)
DENSE(te_dense_fast, te_four_rows, TE_DENSE_ROUND_FAST, fast)
DENSE(te_dense_exact_pairs, pairs, TE_DENSE_ROUND, exact)
DENSE(te_dense_once_pairs, pairs, TE_DENSE_ROUND, once)
DENSE(te_dense_fast_pairs, pairs, TE_DENSE_ROUND_FAST, fast)

static void sums_only(const te_dense_args *a, sums_fn *sums_of) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++) w = sums_of(w + 4, a->x, a->groups, w, (int32_t *)a->y + 4 * q);
}

void te_dense_sums(const te_dense_args *args) {
    sums_only(args, te_four_rows);
}

void te_dense_sums_pairs(const te_dense_args *args) {
    sums_only(args, pairs);
}

void te_dense_sums_twice(const te_dense_args *args) {
    const uint32_t *w = args->weights;
    int32_t *y = args->y;
    for (uint32_t q = 0; q < args->quads; q++, y += 8) {
        sums_of_pairs(w + 4, args->x, 2, args->groups, w, y);
        w = sums_of_pairs(w + 4, args->x + 1, 2, args->groups, w, y + 4);
    }
}

#endif
