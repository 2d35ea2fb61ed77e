/* SOFTMAX of int8: see te_softmax_fast.h. */
#include "tinyengine/te_softmax_fast.h"

#include <string.h>

#include "../support/te_four_sums.h"
#include "../support/te_softmax_parts.h"
#include "tinyengine/te_fixed.h"

enum { LOST_BITS = 13 };

#if TE_DSP
static inline int32_t leading_zeros(int32_t x) {
    return __builtin_clz((uint32_t)x);
}
#else
static inline int32_t leading_zeros(int32_t x) {
    return te_leading_zeros((uint32_t)x);
}

int32_t te_softmax_largest(const int8_t *x, uint32_t quads) {
    int32_t most = INT8_MIN;
    for (uint32_t i = 0; i < 4 * quads; i++) most = x[i] > most ? x[i] : most;
    return most;
}

int32_t te_softmax_gather(const int8_t *x, const int32_t *exp, uint32_t quads, int32_t *to) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < 4 * quads; i++) {
        to[i] = exp[x[i]];
        sum += (to[i] >> LOST_BITS) + ((to[i] >> (LOST_BITS - 1)) & 1);
    }
    return sum;
}

static void shares(const te_softmax_shares_args *p, int64_t half, int32_t down) {
    for (uint32_t i = 0; i < 4 * p->quads; i++) {
        const uint32_t high = (uint32_t)(((int64_t)p->from[i] * p->factor + half) >> 32) + (uint32_t)p->add;
        p->y[i] = (int8_t)(uint8_t)((high >> down) ^ 0x80u);
    }
}

#define TE_SHARES(name, half, down)                                                                          \
    void name(const te_softmax_shares_args *args) {                                                          \
        shares(args, half, down);                                                                            \
    }

TE_SHARES(te_softmax_shares_even, INT64_C(1) << 31, (int32_t)args->shift + 24)
TE_SHARES(te_softmax_shares_odd, 0, (int32_t)args->shift + 24)
TE_SHARES(te_softmax_shares_even_23, INT64_C(1) << 31, 23)
TE_SHARES(te_softmax_shares_odd_23, 0, 23)
#endif

TE_INLINE int32_t closer(int32_t guess, int32_t half) {
    const int32_t error = (1 << 29) - te_high_mul_doubled(2 * guess, half);
    return guess + 4 * te_high_mul_doubled(2 * guess, error);
}

/* Half of te_reciprocal_of_one_plus of what lies behind the first bit of `sum`, whose first bit is set; by products that
 * are doubled before they are rounded. */
TE_INLINE int32_t half_reciprocal(uint32_t sum) {
    const int32_t half = (int32_t)(sum >> 1);
    const int32_t first = 1515870810 + te_high_mul_doubled(-2021161080, half);
    return closer(closer(closer(first, half), half), half);
}

/* Rows in which one score is more than half of the sum, or almost nothing of each is left, or the factor is odd. */
static void rare_row(te_softmax_shares_args *args, const int8_t *x, int32_t largest, int32_t exp,
                     int32_t down) {
    const uint32_t depth = 4 * args->quads;
    if (down > 31) {
        memset(args->y, INT8_MIN, depth);
        return;
    }
    const int odd = args->factor & 1;
    if (down > 23) {
        te_softmax_shares_odd(args);
        return;
    }
    /* where one score is all of the sum, its result is 256, of which a byte keeps nothing */
    const int64_t most = (int64_t)exp * args->factor + (odd ? 0 : INT64_C(1) << 31);
    const int all = ((uint32_t)(most >> 32) + (uint32_t)args->add) >> 23 > 255;
    int32_t at = all ? (int32_t)depth - 1 : -1;
    while (at >= 0 && x[at] != largest) at--;
    args->mask = 0x7f807f80u;
    (odd ? te_softmax_shares_odd_23 : te_softmax_shares_even_23)(args);
    if (at >= 0) args->y[at] = INT8_MAX;
}

static const uint32_t masks[8] = {0xff00ff00, 0xfe00fe00, 0xfc00fc00, 0xf800f800,
                                  0xf000f000, 0xe000e000, 0xc000c000, 0x80008000};

void te_softmax_fast_s8(const te_softmax_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t depth = p->depth, quads = depth / 4;
    const int32_t *const exp = p->exp + 255, offset = (int32_t)(depth << 18);
    const int8_t *const end = x + p->rows * depth;
    te_softmax_shares_args args = {scratch, y, quads, 0, 0, 0, 0};
    for (; x < end; x += depth, args.y += depth) {
        const int32_t largest = te_softmax_largest(x, quads);
        const int32_t sum = te_softmax_gather(x, exp - largest, quads, scratch) + offset;
        const int32_t zeros = leading_zeros(sum), down = 35 - zeros;
        const int32_t guess = half_reciprocal((uint32_t)sum << zeros);
        const uint32_t shift = (uint32_t)(down - 24);
        args.factor = (int32_t)((uint32_t)guess << 1);
        args.add = (int32_t)((uint32_t)guess + (UINT32_C(1) << ((down - 1) & 31)));
        args.shift = shift;
        args.mask = masks[shift & 7];
        if (guess < 1 << 30 && shift < 8) {
            te_softmax_shares_even(&args);
            continue;
        }
        if (guess >= 1 << 30) { /* `add` has half of one more */
            args.factor = INT32_MAX;
            args.add -= guess - (1 << 30);
        }
        rare_row(&args, x, largest, *exp, down);
    }
}
