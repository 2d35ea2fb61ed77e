/* Portable twins of te_dense_fast_dsp.S. */
#include "tinyengine/te_dense_fast.h"

#include "../support/te_requant_fixed.h"
#include "../support/te_smlad.h"
#include "../support/te_widen.h"

#if !TE_DSP

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

#else
typedef int te_dense_fast_ref_is_empty; /* ISO C wants a declaration */
#endif
