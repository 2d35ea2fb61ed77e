/* From a sum to a mean: TFLite's double rounding, with prepared constants where its multiplier allows. */
#ifndef TE_MEAN_ROUND_H
#define TE_MEAN_ROUND_H

#include "te_requant.h"
#include "te_requant_fixed.h"
#include "tinyengine/te_pool.h"

typedef struct te_mean_round {
    int32_t offset, c, e; /* e = 0: not prepared */
} te_mean_round;

/* For means of `values` values. */
static inline te_mean_round te_mean_round_of(const te_mean_params *p, uint32_t values) {
    te_mean_round r = {(int32_t)values * p->in_zero, 0, 0};
    if (p->shift < 0 && p->shift >= -22 && p->multiplier >= 0 && values < 1u << 22) {
        r.e = -p->shift;
        r.c = (int32_t)((UINT32_C(1) << (r.e - 1)) + ((uint32_t)p->out_zero << r.e));
    }
    return r;
}

static inline int8_t te_mean_of(const te_mean_params *p, const te_mean_round *r, int32_t sum) {
    sum -= r->offset;
    if (r->e) return (int8_t)te_round_exact(2 * sum, p->multiplier, r->c, r->e);
    const int32_t mean = te_scale(sum, p->multiplier, p->shift);
    return (int8_t)te_clamp(te_wrap_add(mean, p->out_zero), INT8_MIN, INT8_MAX);
}

#endif
