/* Bytes to int16 pairs, as SXTB16 does: bytes 0 and 2, or 1 and 3 of a word. */
#ifndef TE_WIDEN_H
#define TE_WIDEN_H

#include "tinyengine/te_types.h"

#if TE_DSP
#include <arm_acle.h>
static inline uint32_t te_widen_even(uint32_t bytes) {
    return (uint32_t)__sxtb16((int8x4_t)bytes);
}
#else
static inline uint32_t te_widen_byte(uint32_t byte) {
    return (uint32_t)(int32_t)(int8_t)(uint8_t)byte & 0xffffu;
}

static inline uint32_t te_widen_even(uint32_t bytes) {
    return te_widen_byte(bytes) | te_widen_byte(bytes >> 16) << 16;
}
#endif

static inline uint32_t te_widen_odd(uint32_t bytes) {
    return te_widen_even(bytes >> 8 | bytes << 24);
}

#endif
