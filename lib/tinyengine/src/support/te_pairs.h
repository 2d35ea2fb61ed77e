/* Pairs of int16 in a word: loading, making them of bytes, products, packing. */
#ifndef TE_PAIRS_H
#define TE_PAIRS_H

#include "tinyengine/te_types.h"

#include <string.h>

#if TE_DSP
#include <arm_acle.h>
#endif

/* Any alignment; of two int16 values the first is in the low half. */
static inline uint32_t te_load_word(const void *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#if TE_DSP
static inline int32_t te_saturate16(int32_t x) {
    int32_t half;
    __asm__("ssat %0, #16, %1" : "=r"(half) : "r"(x));
    return half;
}
#else
static inline int32_t te_saturate16(int32_t x) {
    return x < -32768 ? -32768 : x > 32767 ? 32767 : x;
}
#endif

/* te_widen_even: bytes 0 and 2 of a word as int16, as SXTB16 does; te_widen_even_plus: added to the halves of another word
 * (SXTAB16). te_add_halves: sums of halves, modulo 2^16. te_smlad: sum + both products of halves.
 * te_smusd: low * low - high * high; te_smuadx: low * high + high * low.
 * te_smlabt ...: sum + half of a * half of b, a's half first: b bottom, t top. te_pack_low, te_pack_high: the
 * low halves of two words, or their high halves. */
#if TE_DSP
static inline uint32_t te_widen_even(uint32_t bytes) {
    return (uint32_t)__sxtb16((int8x4_t)bytes);
}

/* GCC rotates in an instruction of its own. */
static inline uint32_t te_widen_odd(uint32_t bytes) {
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

static inline uint32_t te_widen_even_plus(uint32_t halves, uint32_t bytes) {
    return (uint32_t)__sxtab16((int16x2_t)halves, (int8x4_t)bytes);
}

static inline uint32_t te_add_halves(uint32_t a, uint32_t b) {
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
}

static inline int32_t te_smlad(uint32_t a, uint32_t b, int32_t sum) {
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

static inline int32_t te_smusd(uint32_t a, uint32_t b) {
    return __smusd((int16x2_t)a, (int16x2_t)b);
}

static inline int32_t te_smuadx(uint32_t a, uint32_t b) {
    return __smuadx((int16x2_t)a, (int16x2_t)b);
}

#define TE_SMLA(name, top_a, top_b)                                                                          \
    static inline int32_t te_##name(uint32_t a, uint32_t b, int32_t sum) {                                   \
        return __##name((int32_t)a, (int32_t)b, sum);                                                        \
    }

static inline uint32_t te_pack_low(uint32_t low, uint32_t high) {
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
}

static inline uint32_t te_pack_high(uint32_t low, uint32_t high) {
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(high), "r"(low));
    return pair;
}
#else
static inline int32_t te_half(uint32_t pair, uint32_t top) {
    return (int32_t)(int16_t)(uint16_t)(pair >> 16 * top);
}

static inline uint32_t te_widen_byte(uint32_t byte) {
    return (uint32_t)(int32_t)(int8_t)(uint8_t)byte & 0xffffu;
}

static inline uint32_t te_widen_even(uint32_t bytes) {
    return te_widen_byte(bytes) | te_widen_byte(bytes >> 16) << 16;
}

static inline uint32_t te_widen_odd(uint32_t bytes) {
    return te_widen_even(bytes >> 8 | bytes << 24);
}

static inline uint32_t te_add_halves(uint32_t a, uint32_t b) {
    return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
}

static inline uint32_t te_widen_even_plus(uint32_t halves, uint32_t bytes) {
    return te_add_halves(halves, te_widen_even(bytes));
}

#define TE_SMLA(name, top_a, top_b)                                                                          \
    static inline int32_t te_##name(uint32_t a, uint32_t b, int32_t sum) {                                   \
        return sum + te_half(a, top_a) * te_half(b, top_b);                                                  \
    }

static inline int32_t te_smlad(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 0) * te_half(b, 0) + te_half(a, 1) * te_half(b, 1);
}

static inline int32_t te_smusd(uint32_t a, uint32_t b) {
    return te_half(a, 0) * te_half(b, 0) - te_half(a, 1) * te_half(b, 1);
}

static inline int32_t te_smuadx(uint32_t a, uint32_t b) {
    return te_half(a, 0) * te_half(b, 1) + te_half(a, 1) * te_half(b, 0);
}

static inline uint32_t te_pack_low(uint32_t low, uint32_t high) {
    return (low & 0xffffu) | high << 16;
}

static inline uint32_t te_pack_high(uint32_t low, uint32_t high) {
    return low >> 16 | (high & 0xffff0000u);
}
#endif

static inline uint32_t te_widen_odd_plus(uint32_t halves, uint32_t bytes) {
    return te_widen_even_plus(halves, bytes >> 8 | bytes << 24);
}

TE_SMLA(smlabb, 0, 0)
TE_SMLA(smlabt, 0, 1)
TE_SMLA(smlatb, 1, 0)
TE_SMLA(smlatt, 1, 1)

#endif
