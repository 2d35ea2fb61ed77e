/* Pairs of int16 in a word: products of single halves, packing. */
#ifndef TE_PAIRS_H
#define TE_PAIRS_H

#include "te_smlad.h"

/* The low halves of two words, or their high halves. */
#if TE_DSP
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
static inline uint32_t te_pack_low(uint32_t low, uint32_t high) {
    return (low & 0xffffu) | high << 16;
}

static inline uint32_t te_pack_high(uint32_t low, uint32_t high) {
    return low >> 16 | (high & 0xffff0000u);
}
#endif

static inline uint32_t te_load_word(const void *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* sum + half of a * half of b; the first letter is a's half: b bottom, t top. */
#if TE_DSP
static inline int32_t te_smlabb(uint32_t a, uint32_t b, int32_t sum) {
    return __smlabb((int32_t)a, (int32_t)b, sum);
}

static inline int32_t te_smlabt(uint32_t a, uint32_t b, int32_t sum) {
    return __smlabt((int32_t)a, (int32_t)b, sum);
}

static inline int32_t te_smlatb(uint32_t a, uint32_t b, int32_t sum) {
    return __smlatb((int32_t)a, (int32_t)b, sum);
}

static inline int32_t te_smlatt(uint32_t a, uint32_t b, int32_t sum) {
    return __smlatt((int32_t)a, (int32_t)b, sum);
}
#else
static inline int32_t te_smlabb(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 0) * te_half(b, 0);
}

static inline int32_t te_smlabt(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 0) * te_half(b, 16);
}

static inline int32_t te_smlatb(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 16) * te_half(b, 0);
}

static inline int32_t te_smlatt(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 16) * te_half(b, 16);
}
#endif

static inline int32_t te_saturate16(int32_t x) {
    return x < -32768 ? -32768 : x > 32767 ? 32767 : x;
}

#endif
