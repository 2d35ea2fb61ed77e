#include "tinyengine/te_add_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"

void te_add_fast_s8(const te_add_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    p->add(&p->constants, a, b, y, p->count);
    te_clamp_s8(y, p->count, p->min, p->max);
}

void te_add_fast_const_s8(const te_add_fast_const_params *p, const int8_t *x, int8_t *y) {
    int8_t *row = y;
    for (uint32_t i = 0; i < p->rows; i++, x += p->count, row += p->count)
        p->add(&p->constants, p->constant_first ? p->constant : x, p->constant_first ? x : p->constant, row,
               p->count);
    te_clamp_s8(y, p->rows * p->count, p->min, p->max);
}

#if !TE_DSP /* the twins of te_add_fast_dsp.S */

void te_add_scaled(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                   uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t doubled = k->ka + a[i] * (1 << 21);
        const int32_t u = te_smmlar(doubled, k->ma, k->ca + (doubled >> 31)) >> k->ea;
        y[i] = (int8_t)te_round_exact(k->kb + b[i] * (1 << 20) + 2 * u, k->m, k->c, k->e);
    }
}

void te_add_linear(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                   uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t from_a = (int32_t)((int64_t)k->ma * (a[i] * 256) >> 16);
        const int32_t from_b = (int32_t)((int64_t)k->m * (b[i] * 256) >> 16);
        y[i] = (int8_t)te_saturate8((k->c + from_a + from_b) >> TE_ADD_LINEAR_SHIFT);
    }
}

#endif
