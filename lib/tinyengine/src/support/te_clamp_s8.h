/* Clamps int8 values in place, for the rare layers whose activation is narrower than int8. */
#ifndef TE_CLAMP_S8_H
#define TE_CLAMP_S8_H

#include "tinyengine/te_requant.h"

static inline void te_clamp_s8(int8_t *y, uint32_t count, int32_t low, int32_t high) {
    if (low <= -128 && high >= 127) return;
    for (uint32_t i = 0; i < count; i++) y[i] = (int8_t)te_clamp(y[i], low, high);
}

#endif
