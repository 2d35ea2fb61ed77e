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

uint32_t te_softmax_largest(const int8_t *x, uint32_t quads) {
    int8_t most[4] = {INT8_MIN, INT8_MIN, INT8_MIN, INT8_MIN};
    uint32_t bytes;
    for (uint32_t i = 0; i < 4 * quads; i++) most[i % 4] = x[i] > most[i % 4] ? x[i] : most[i % 4];
    memcpy(&bytes, most, sizeof bytes);
    return bytes;
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
    void te_softmax_shares_##name(const te_softmax_shares_args *args) {                                      \
        shares(args, half, down);                                                                            \
    }

TE_SHARES(even, INT64_C(1) << 31, (int32_t)args->shift + 24)
TE_SHARES(odd, 0, (int32_t)args->shift + 24)
TE_SHARES(even_23, INT64_C(1) << 31, 23)
TE_SHARES(odd_23, 0, 23)
#endif

static int32_t largest_of(uint32_t bytes) {
    int32_t largest = INT8_MIN;
    for (uint32_t i = 0; i < 4; i++, bytes >>= 8) {
        const int32_t score = (int8_t)(uint8_t)bytes;
        largest = score > largest ? score : largest;
    }
    return largest;
}

/* te_reciprocal_of_one_plus, by products that are doubled before they are rounded. */
static int32_t reciprocal(int32_t fraction) {
    const int32_t half = (fraction >> 1) + (1 << 30);
    int32_t guess = 1515870810 + te_high_mul_doubled(-2021161080, half);
    for (int step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - te_high_mul_doubled(2 * guess, half);
        guess += 4 * te_high_mul_doubled(2 * guess, error);
    }
    return guess < 1 << 30 ? 2 * guess : INT32_MAX;
}

void te_softmax_fast_s8(const te_softmax_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t quads = p->depth / 4;
    const int32_t offset = (int32_t)(p->depth << 18);
    for (uint32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        const int32_t largest = largest_of(te_softmax_largest(x, quads));
        const int32_t sum = te_softmax_gather(x, p->exp + 255 - largest, quads, scratch) + offset;
        const int32_t zeros = leading_zeros(sum), down = 35 - zeros;
        if (down > 31) {
            memset(y, INT8_MIN, p->depth);
            continue;
        }
        const int32_t factor = reciprocal((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
        const int odd = factor & 1;
        const uint32_t add = ((uint32_t)factor + (uint32_t)odd) / 2 + (UINT32_C(1) << (down - 1));
        te_softmax_shares_args args = {scratch, y, quads, factor, (int32_t)add, 0xff00ff00u, 0};
        if (down == 23) {
            /* one score is more than half of the sum: where it is all of it, its result is 256 */
            const int64_t most = (int64_t)p->exp[255] * factor + (odd ? 0 : INT64_C(1) << 31);
            const int all = ((uint32_t)(most >> 32) + add) >> 23 > 255;
            int32_t at = all ? (int32_t)p->depth - 1 : -1;
            while (at >= 0 && x[at] != largest) at--;
            (odd ? te_softmax_shares_odd_23 : te_softmax_shares_even_23)(&args);
            if (at >= 0) y[at] = INT8_MAX;
            continue;
        }
        args.shift = (uint32_t)down - 24;
        args.mask = (0xffu << args.shift & 0xffu) * 0x01000100u;
        (odd ? te_softmax_shares_odd : te_softmax_shares_even)(&args);
    }
}
