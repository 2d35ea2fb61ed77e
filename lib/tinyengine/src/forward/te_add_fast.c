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

#if TE_MVE
#include <arm_mve.h>

/* The steps of te_add_fast.h on four elements; VMULH and VRMULH are the upper words of the products, VRMULH rounds. */
TE_INLINE int32x4_t scaled(int32x4_t a, int32x4_t b, const te_add_fast_constants *k, int32x4_t ma,
                           int32x4_t m) {
    a = vaddq_n_s32(vshlq_n_s32(a, 21), k->ka);
    int32x4_t u = vaddq_n_s32(vrmulhq_s32(a, ma), k->ca);
    u = vshlq_r_s32(vaddq_s32(u, vshrq_n_s32(a, 31)), -k->ea);
    b = vaddq_s32(vaddq_n_s32(vshlq_n_s32(b, 20), k->kb), vshlq_n_s32(u, 1));
    const int32x4_t v = vaddq_n_s32(vrmulhq_s32(b, m), k->c);
    return vshlq_r_s32(vaddq_s32(v, vshrq_n_s32(b, 31)), -k->e);
}

TE_INLINE int32x4_t linear(int32x4_t a, int32x4_t b, const te_add_fast_constants *k, int32x4_t ma,
                           int32x4_t m) {
    a = vmulhq_s32(vshlq_n_s32(a, 24), ma);
    b = vmulhq_s32(vshlq_n_s32(b, 24), m);
    return vshrq_n_s32(vaddq_n_s32(vaddq_s32(a, b), k->c), TE_ADD_LINEAR_SHIFT);
}

/* Saturated, in the low byte of each word. */
TE_INLINE int32x4_t four(int32x4_t a, int32x4_t b, const te_add_fast_constants *k, int32x4_t ma, int32x4_t m,
                         int is_linear) {
    const int32x4_t sums = is_linear ? linear(a, b, k, ma, m) : scaled(a, b, k, ma, m);
    const int16x8_t halves = vqmovnbq_s32(vreinterpretq_s16_s32(sums), sums);
    return vreinterpretq_s32_s8(vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves));
}

TE_INLINE void add(const te_add_fast_constants *constants, const int8_t *a, const int8_t *b, int8_t *y,
                   uint32_t count, int is_linear) {
    const te_add_fast_constants k = *constants;
    const int32x4_t ma = vdupq_n_s32(k.ma), m = vdupq_n_s32(k.m);
    for (uint32_t left = count / 4; left; left--, a += 4, b += 4, y += 4)
        vstrbq_s32(y, four(vldrbq_s32(a), vldrbq_s32(b), &k, ma, m, is_linear));
    if (!(count % 4)) return;
    const mve_pred16_t rest = vctp32q(count % 4);
    vstrbq_p_s32(y, four(vldrbq_z_s32(a, rest), vldrbq_z_s32(b, rest), &k, ma, m, is_linear), rest);
}

void te_add_scaled(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                   uint32_t count) {
    add(k, a, b, y, count, 0);
}

void te_add_linear(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                   uint32_t count) {
    add(k, a, b, y, count, 1);
}

#elif !TE_DSP /* the twins of te_add_fast_dsp.S */

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
