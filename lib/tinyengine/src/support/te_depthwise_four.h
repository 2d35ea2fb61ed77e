/* Sums of depthwise convolutions, four channels at a time, rounded for any multiplier. */
#ifndef TE_DEPTHWISE_FOUR_H
#define TE_DEPTHWISE_FOUR_H

#include "te_pairs.h"
#include "te_requant_fixed.h"

#if TE_MVE
#include <arm_mve.h>

/* Sums, and bytes, of four channels. */
typedef int32x4_t te_four, te_bytes;

static inline te_bytes te_load_bytes(const int8_t *x) {
    return vldrbq_s32(x);
}

static inline te_four te_no_four(void) {
    return vdupq_n_s32(0);
}

/* Adds the products of four bytes each. */
static inline te_four te_add_four(te_four sums, te_bytes pixels, const uint32_t *weights) {
    return vaddq_s32(sums, vmulq_s32(pixels, vldrbq_s32((const int8_t *)weights)));
}
#else
/* Sums of four channels. */
typedef struct te_four {
    int32_t a, b, c, d;
} te_four;

typedef uint32_t te_bytes;

static inline te_bytes te_load_bytes(const int8_t *x) {
    return te_load_word(x);
}

static inline te_four te_no_four(void) {
    return (te_four){0, 0, 0, 0};
}

/* Adds the products of four bytes each. */
static inline te_four te_add_four(te_four sums, te_bytes pixels, const uint32_t *weights) {
    const uint32_t even = te_widen_even(pixels), odd = te_widen_odd(pixels);
    const uint32_t w_even = te_widen_even(*weights), w_odd = te_widen_odd(*weights);
    sums.a = te_smlabb(even, w_even, sums.a);
    sums.b = te_smlabb(odd, w_odd, sums.b);
    sums.c = te_smlatt(even, w_even, sums.c);
    sums.d = te_smlatt(odd, w_odd, sums.d);
    return sums;
}
#endif

/* Weight of channel `i` of a word. */
static inline int32_t te_weight_of(uint32_t word, uint32_t i) {
    return (int8_t)(uint8_t)(word >> 8 * i);
}

/* Output of a sum; k: bias, M C e l s. */
static inline int8_t te_round_channel(int32_t sum, const int32_t *k) {
    return (int8_t)te_round_wide(te_wrap_add(sum, k[0]), k[1], k[2], k[3], k[4], k[5]);
}

/* Outputs of four channels. */
#if TE_MVE
static inline void te_round_four(te_four sums, const int32_t *k, int8_t *y) {
    const uint32x4_t channels = vmulq_n_u32(vidupq_n_u32(0, 1), 24);
    sums = vaddq_s32(sums, vldrwq_gather_offset_s32(k, channels));
    const int32x4_t sign = vandq_s32(vshrq_n_s32(sums, 31), vldrwq_gather_offset_s32(k + 5, channels));
    /* VQRDMULH doubles the product: one bit less to the left */
    const int32x4_t left = vsubq_n_s32(vldrwq_gather_offset_s32(k + 4, channels), 1);
    sums = vqrdmulhq_s32(vshlq_s32(sums, left), vldrwq_gather_offset_s32(k + 1, channels));
    sums = vaddq_s32(vaddq_s32(sums, vldrwq_gather_offset_s32(k + 2, channels)), sign);
    sums = vshlq_s32(sums, vnegq_s32(vldrwq_gather_offset_s32(k + 3, channels)));
    __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnb.s16 %q0, %q0" : "+t"(sums));
    vstrbq_s32(y, sums);
}
#else
static inline void te_round_four(te_four sums, const int32_t *k, int8_t *y) {
    y[0] = te_round_channel(sums.a, k);
    y[1] = te_round_channel(sums.b, k + 6);
    y[2] = te_round_channel(sums.c, k + 12);
    y[3] = te_round_channel(sums.d, k + 18);
}
#endif

#endif
