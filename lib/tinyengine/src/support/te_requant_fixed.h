/* Exact requantization as the fast kernels do it: TFLite's double rounding from constants the host has
 * prepared.
 *
 * With M the 31-bit multiplier and e = -shift >= 1 (real multiplier below 0.5), TFLite's result before
 * clamping is
 *     x = floor((acc * M + 2^30) / 2^31)
 *     r = floor((x - [x < 0] + 2^(e-1)) / 2^e) + zero   (halves away from zero)
 * [x < 0] may be taken from acc: they differ only for x = 0, where both give 0. So
 *     r = SMMLAR(2 * acc, M, C + (acc >> 31)) >> e      with C = 2^(e-1) + (zero << e)
 * where SMMLAR(a, b, c) = (a * b + (c << 32) + 2^31) >> 32. Needs |acc| < 2^30.
 *
 * "wide" constants serve any multiplier: l = max(shift, 0) + 1 replaces the doubling, and for shift >= 0
 * e = 0, C = zero and s = 0 masks the sign away (s = -1 otherwise).
 *
 * "once" (fully connected layers) rounds one time, halves away from zero:
 *     r = (acc * M + 2^(31-shift-1) - [acc < 0]) >> (31 - shift), plus zero
 * With e = -shift - 1 >= 1 (real multiplier below 0.25) that is the high word of
 *     acc * M + ((C + (acc >> 31)) << 32) + (uint32_t)(acc >> 31),   C = 2^(e-1) + (zero << e)
 * (one SMLAL) shifted right by e; a left shift l of acc before brings larger multipliers into that range.
 *
 * "fast" is SMMLAR(2 * acc, F, zero) with F = the real multiplier (below 0.5) * 2^31, rounded: within 1 of
 * the others. Where sums are not doubled, 2 * F is the constant: the product is the same.
 */
#ifndef TE_REQUANT_FIXED_H
#define TE_REQUANT_FIXED_H

#include "tinyengine/te_types.h"

#if TE_DSP
static inline int32_t te_smmlar(int32_t a, int32_t b, int32_t c) {
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(a), "r"(b), "r"(c));
    return high;
}
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(TE_PORTABLE)
/* By halves of 16 bits, without a call: there is no long multiplication. b >= 0. */
static inline int32_t te_smmlar(int32_t a, int32_t b, int32_t c) {
    const uint32_t low_a = (uint32_t)a & 0xffff, low_b = (uint32_t)b & 0xffff, high_b = (uint32_t)b >> 16;
    const int32_t high_a = a >> 16, cross = high_a * (int32_t)low_b;
    const uint32_t other = low_a * high_b;
    const uint32_t carried = (low_a * low_b >> 16) + ((uint32_t)cross & 0xffff) + (other & 0xffff) + 0x8000;
    return (int32_t)((uint32_t)(high_a * (int32_t)high_b) + (uint32_t)(cross >> 16) + (other >> 16) +
                     (carried >> 16) + (uint32_t)c);
}
#else
static inline int32_t te_smmlar(int32_t a, int32_t b, int32_t c) {
    const uint64_t sum = (uint64_t)((int64_t)a * b) + ((uint64_t)(uint32_t)c << 32) + (UINT64_C(1) << 31);
    return (int32_t)(uint32_t)(sum >> 32);
}
#endif

#if defined(__ARM_FEATURE_SAT) && !defined(TE_PORTABLE)
static inline int32_t te_saturate8(int32_t x) {
    int32_t byte;
    __asm__("ssat %0, #8, %1" : "=r"(byte) : "r"(x));
    return byte;
}
#else
static inline int32_t te_saturate8(int32_t x) {
    return x < -128 ? -128 : x > 127 ? 127 : x;
}
#endif

/* doubled = 2 * acc. */
static inline int32_t te_round_exact(int32_t doubled, int32_t m, int32_t c, int32_t e) {
    return te_saturate8(te_smmlar(doubled, m, c + (doubled >> 31)) >> e);
}

static inline int32_t te_round_wide(int32_t acc, int32_t m, int32_t c, int32_t e, int32_t l, int32_t s) {
    return te_saturate8(te_smmlar((int32_t)((uint32_t)acc << l), m, c + ((acc >> 31) & s)) >> e);
}

/* Either of acc and m doubled. */
static inline int32_t te_round_fast(int32_t acc, int32_t m, int32_t zero) {
    return te_saturate8(te_smmlar(acc, m, zero));
}

static inline int32_t te_round_once(int32_t acc, int32_t m, int32_t c, int32_t e) {
    const int32_t sign = acc >> 31;
    const uint64_t start = (uint64_t)(uint32_t)(c + sign) << 32 | (uint32_t)sign;
    return te_saturate8((int32_t)(uint32_t)((start + (uint64_t)((int64_t)acc * m)) >> 32) >> e);
}

#endif
