/* Two int16 products at once. */
#ifndef TE_SMLAD_H
#define TE_SMLAD_H

#include "tinyengine/te_types.h"

#include <string.h>

/* Two int16 values, the first in the low half; any alignment of int16. */
static inline uint32_t te_load_pair(const int16_t *at) {
    uint32_t pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

#if TE_DSP
#include <arm_acle.h>
static inline int32_t te_smlad(uint32_t a, uint32_t b, int32_t sum) {
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}
#else
static inline int32_t te_half(uint32_t pair, uint32_t shift) {
    return (int32_t)(int16_t)(uint16_t)(pair >> shift);
}

/* The order of halves does not matter: both operands are loaded alike. */
static inline int32_t te_smlad(uint32_t a, uint32_t b, int32_t sum) {
    return sum + te_half(a, 0) * te_half(b, 0) + te_half(a, 16) * te_half(b, 16);
}
#endif

#endif
