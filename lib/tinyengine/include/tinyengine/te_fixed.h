/* Functions of real numbers in fixed point, bit for bit as gemmlowp and TFLite compute them. */
#ifndef TE_FIXED_H
#define TE_FIXED_H

#include "tinyengine/te_requant.h"

TE_BEGIN_C

static inline int32_t te_leading_zeros(uint32_t x) {
    int32_t n = 0;
    for (; n < 32 && !(x & UINT32_C(0x80000000)); n++) x <<= 1;
    return n;
}

/* x * 2^shift, saturated; 0 <= shift <= 31. */
static inline int32_t te_shift_left(int32_t x, int32_t shift) {
    const int64_t y = (int64_t)x * (INT64_C(1) << shift);
    return y > INT32_MAX ? INT32_MAX : y < INT32_MIN ? INT32_MIN : (int32_t)y;
}

/* 1 / (1 + f) for f in [0, 1), both with 31 fraction bits. Newton-Raphson for 1 / d, d = (1 + f) / 2: three
 * steps from 48/17 - 32/17 d, with 29 fraction bits, rounded as gemmlowp rounds. */
static inline int32_t te_reciprocal_of_one_plus(int32_t f) {
    const int32_t half = (f >> 1) + (1 << 30); /* d, 31 fraction bits */
    int32_t guess = te_wrap_add(1515870810, te_high_mul(half, -1010580540));
    for (int step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - te_high_mul(half, guess);
        guess = te_wrap_add(guess, (int32_t)((uint32_t)te_high_mul(guess, error) << 2));
    }
    const int64_t result = (int64_t)guess * 2;
    return result > INT32_MAX ? INT32_MAX : (int32_t)result;
}

/* Natural logarithm of x >= 1 with 19 fraction bits; the result has 26. x = 2^k * r, r about 2^(-1/4); log r by
 * a quotient of polynomials in r - 2^(-1/4). */
static inline int32_t te_log(int32_t x) {
    const int32_t sqrt_half = 1518500250, fourth_root_half = 1805811301, quarter = 1 << 23;
    const int32_t zeros = te_leading_zeros((uint32_t)x);
    const int32_t below = te_high_mul(x, sqrt_half), zeros_below = te_leading_zeros((uint32_t)below) - 1;
    const int32_t r0 = te_shift_left(te_high_mul(te_shift_left(x, zeros - 1), sqrt_half), 1);
    const int32_t r1 = te_shift_left(x, zeros_below);
    const int32_t k0 = (12 - zeros) * (1 << 25) + quarter, k1 = (12 - zeros_below) * (1 << 25) - quarter;
    const int32_t r = r0 < r1 ? r0 : r1, k = k0 > k1 ? k0 : k1;

    const int32_t p = (int32_t)(((int64_t)r + fourth_root_half + 1) / 2);
    const int32_t q = (r - fourth_root_half) * 2, square = te_high_mul(q, q);
    const int32_t above = te_high_mul(q, r) + te_high_mul(te_high_mul(q, square), 117049297);
    const int32_t inner = 1057819769 + q + te_high_mul(square, 127690142);
    const int32_t under = te_high_mul(p, inner) + te_high_mul(q, 638450708);
    const int32_t quotient = te_high_mul(te_round_shift(above, 6), te_reciprocal_of_one_plus(under));
    return te_shift_left(te_high_mul(k, 1488522236) + quotient, 1); /* log 2 */
}

/* 1 / sqrt(x) as a multiplier with 31 fraction bits and a shift, for te_scale; x >= 0, and 0 counts as 1. Five
 * Newton steps from 1 on x scaled to [1/4, 1), with 28 fraction bits. */
static inline int32_t te_inverse_sqrt(int32_t x, int32_t *shift) {
    *shift = 0;
    if (x <= 1) return INT32_MAX;
    int32_t right = 11;
    for (; x >= 1 << 29; x /= 4) right++;
    const int32_t pairs = (te_leading_zeros((uint32_t)x) - 1) / 2 - 1;
    right -= pairs;
    const int32_t half = te_round_shift((x << 2 * pairs) >> 1, 1);
    int32_t guess = 1 << 28;
    for (int step = 0; step < 5; step++) {
        const int32_t cube = te_shift_left(te_high_mul(te_high_mul(guess, guess), guess), 6);
        guess = te_shift_left(te_high_mul(guess, 3 << 27) - te_high_mul(half, cube), 3);
    }
    guess = te_high_mul(guess, 1518500250); /* sqrt(1/2) */
    if (right < 0) return guess << -right;
    *shift = -right;
    return guess;
}

TE_END_C

#endif
