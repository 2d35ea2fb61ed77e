/* Sums of depthwise convolutions, four channels at a time, rounded for any multiplier. */
#ifndef TE_DEPTHWISE_FOUR_H
#define TE_DEPTHWISE_FOUR_H

#include "te_pairs.h"
#include "te_requant_fixed.h"

/* Sums of four channels. */
typedef struct te_four {
    int32_t a, b, c, d;
} te_four;

/* Adds the products of the bytes of two words. */
static inline te_four te_add_four(te_four sums, uint32_t pixels, uint32_t weights) {
    const uint32_t even = te_widen_even(pixels), odd = te_widen_odd(pixels);
    const uint32_t w_even = te_widen_even(weights), w_odd = te_widen_odd(weights);
    sums.a = te_smlabb(even, w_even, sums.a);
    sums.b = te_smlabb(odd, w_odd, sums.b);
    sums.c = te_smlatt(even, w_even, sums.c);
    sums.d = te_smlatt(odd, w_odd, sums.d);
    return sums;
}

/* Weight of channel `i` of a word. */
static inline int32_t te_weight_of(uint32_t word, uint32_t i) {
    return (int8_t)(uint8_t)(word >> 8 * i);
}

/* Output of a sum; k: bias, M C e l s. */
static inline int8_t te_round_channel(int32_t sum, const int32_t *k) {
    return (int8_t)te_round_wide(te_wrap_add(sum, k[0]), k[1], k[2], k[3], k[4], k[5]);
}

/* Outputs of four channels. */
static inline void te_round_four(te_four sums, const int32_t *k, int8_t *y) {
    y[0] = te_round_channel(sums.a, k);
    y[1] = te_round_channel(sums.b, k + 6);
    y[2] = te_round_channel(sums.c, k + 12);
    y[3] = te_round_channel(sums.d, k + 18);
}

#endif
