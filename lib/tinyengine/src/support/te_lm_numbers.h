/* Arithmetic of language models. */
#ifndef TE_LM_NUMBERS_H
#define TE_LM_NUMBERS_H

#include "tinyengine/te_types.h"

/* round(a * b / 2^32), halves up. */
TE_INLINE int32_t te_smmulr(int32_t a, int32_t b) {
#if TE_DSP
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
    return high;
#else
    return (int32_t)(((int64_t)a * b + 0x80000000ll) >> 32);
#endif
}

/* The nearest number of so many bits, a constant. */
#if TE_DSP
#define te_saturate(x, bits) ((int32_t)__builtin_arm_ssat(x, bits))
#else
TE_INLINE int32_t te_saturate(int32_t x, uint32_t bits) {
    const int32_t limit = (int32_t)1 << (bits - 1);
    return x < -limit ? -limit : x > limit - 1 ? limit - 1 : x;
}
#endif

/* Row r (0 or 1) of a half of two rows of 8 bits. */
TE_INLINE int32_t te_lm_row(uint32_t half, uint32_t r) {
    const int32_t low = (int8_t)half;
    return r ? ((int16_t)half - low) >> 8 : low;
}

#endif
