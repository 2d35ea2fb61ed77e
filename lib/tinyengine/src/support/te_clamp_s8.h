/* Clamps int8 values in place, for the rare layers whose activation is narrower than int8. */
#ifndef TE_CLAMP_S8_H
#define TE_CLAMP_S8_H

#include "tinyengine/te_types.h"

static inline void te_clamp_s8(int8_t *y, uint32_t count, int32_t low, int32_t high) {
    if (low <= -128 && high >= 127) return;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t v = y[i];
        y[i] = (int8_t)(v < low ? low : v > high ? high : v);
    }
}

#endif
