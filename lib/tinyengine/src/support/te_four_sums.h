/* Four rows of int8 weights times one vector of int16 values, in the order of te_widen_even and te_widen_odd.
 *
 * The weights of four inputs (a group) are four words. Packed: [row 0 with row 1, row 2 with row 3][inputs 0 and 2,
 * inputs 1 and 3], a halfword per input, (second row) * 256 + first row. So one multiplication serves both rows: the
 * products of the first row follow from its bytes alone, those of the second one are what is left. Rows: a word of four
 * bytes per row, for weights that cannot be packed (te_four_rows).
 *
 * BUDGET of te_four_sums, for cores with SMLAD: 15 instructions per group (16 products), 5 per call.
 */
#ifndef TE_FOUR_SUMS_H
#define TE_FOUR_SUMS_H

#include "te_pairs.h"
#include "tinyengine/te_requant.h"

#include <string.h>

/* te_high_mul(x / 2, m) for even x. */
#if TE_DSP
static inline int32_t te_high_mul_doubled(int32_t x, int32_t m) {
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(x), "r"(m));
    return high;
}
#else
static inline int32_t te_high_mul_doubled(int32_t x, int32_t m) {
    return (int32_t)(((int64_t)x * m + (INT64_C(1) << 31)) >> 32);
}
#endif

/* As te_scale, for values that keep their sign when they are shifted to the left by max(shift, 0) + 1. */
static inline int32_t te_scale_narrow(int32_t x, const te_factor *f) {
    const int32_t shift = f->shift;
    if (shift >= 0) return te_high_mul_doubled((int32_t)((uint32_t)x << (shift + 1)), f->multiplier);
    const int32_t high = te_high_mul_doubled(x * 2, f->multiplier);
    return (high + (high >> 31) + f->half) >> -shift;
}

/* int8 to int16: 8 bytes of `to` per group of 4, the last one filled up with zeros. */
static inline void te_widen(const int8_t *x, uint32_t count, uint32_t *to) {
    for (; count >= 4; count -= 4, x += 4) {
        const uint32_t bytes = te_load_word(x);
        *to++ = te_widen_even(bytes);
        *to++ = te_widen_odd(bytes);
    }
    if (!count) return;
    uint32_t bytes = 0;
    memcpy(&bytes, x, count);
    *to++ = te_widen_even(bytes);
    *to++ = te_widen_odd(bytes);
}

/* sums[row] = bias[row], modulo 2^32, and products of row and x; returns the end of the weights. */
static inline const uint32_t *te_four_rows(const uint32_t *w, const uint32_t *x, uint32_t groups,
                                           const uint32_t *bias, int32_t *sums) {
    for (uint32_t row = 0; row < 4; row++) {
        sums[row] = 0;
        for (uint32_t g = 0; g < groups; g++) {
            const uint32_t bytes = w[4 * g + row];
            sums[row] = te_smlad(x[2 * g], te_widen_even(bytes), sums[row]);
            sums[row] = te_smlad(x[2 * g + 1], te_widen_odd(bytes), sums[row]);
        }
        sums[row] = te_wrap_add(sums[row], (int32_t)bias[row]);
    }
    return w + 4 * groups;
}

#if TE_DSP
static inline const uint32_t *te_four_sums(const uint32_t *w, const uint32_t *x, uint32_t groups,
                                           const uint32_t *bias, int32_t *sums) {
    const uint32_t *const end = w + 4 * groups;
    int32_t a = (int32_t)bias[0], both_a = a, b = (int32_t)bias[2], both_b = b;
    __asm__("1:\n\t"
            "ldmia.w %[w]!, {r4, r5, r6, r8}\n\t"
            "ldrd    r9, r12, [%[x]], #8\n\t"
            "smlad   %[ab], r4, r9, %[ab]\n\t"
            "smlad   %[bb], r5, r9, %[bb]\n\t"
            "sxtb16  r4, r4\n\t"
            "sxtb16  r5, r5\n\t"
            "smlad   %[a], r4, r9, %[a]\n\t"
            "smlad   %[b], r5, r9, %[b]\n\t"
            "smlad   %[ab], r6, r12, %[ab]\n\t"
            "smlad   %[bb], r8, r12, %[bb]\n\t"
            "sxtb16  r6, r6\n\t"
            "sxtb16  r8, r8\n\t"
            "smlad   %[a], r6, r12, %[a]\n\t"
            "smlad   %[b], r8, r12, %[b]\n\t"
            "cmp     %[w], %[end]\n\t"
            "bne     1b"
            : [w] "+r"(w), [x] "+r"(x), [a] "+r"(a), [ab] "+r"(both_a), [b] "+r"(b), [bb] "+r"(both_b)
            : [end] "r"(end)
            : "r4", "r5", "r6", "r8", "r9", "r12", "cc", "memory");
    sums[0] = a;
    sums[1] = te_wrap_add((int32_t)((uint32_t)both_a - (uint32_t)a) >> 8, (int32_t)bias[1]);
    sums[2] = b;
    sums[3] = te_wrap_add((int32_t)((uint32_t)both_b - (uint32_t)b) >> 8, (int32_t)bias[3]);
    return w;
}
#else
static inline void te_two_rows(uint32_t pair, uint32_t x, int32_t *first, int32_t *second) {
    for (uint32_t top = 0; top < 2; top++) {
        const int32_t both = te_half(pair, top), low = te_half(te_widen_byte(pair >> 16 * top), 0);
        *first += low * te_half(x, top);
        *second += (both - low) / 256 * te_half(x, top);
    }
}

static inline const uint32_t *te_four_sums(const uint32_t *w, const uint32_t *x, uint32_t groups,
                                           const uint32_t *bias, int32_t *sums) {
    memset(sums, 0, 4 * sizeof *sums);
    for (uint32_t g = 0; g < 2 * groups; g++, w += 2) {
        te_two_rows(w[0], x[g], sums, sums + 1);
        te_two_rows(w[1], x[g], sums + 2, sums + 3);
    }
    for (uint32_t row = 0; row < 4; row++) sums[row] = te_wrap_add(sums[row], (int32_t)bias[row]);
    return w;
}
#endif

#endif
