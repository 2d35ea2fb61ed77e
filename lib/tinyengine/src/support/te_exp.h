#ifndef TE_EXP_H
#define TE_EXP_H

#include "te_update.h"

/* exp(x) for x <= 0; 0 below -87. */
static inline float te_exp_negative(float x) {
    static const float taylor[6] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    if (x < -87.0f) return 0.0f;
    const int32_t n = (int32_t)(x * 1.4426950408889634f - 0.5f);
    const float r = (x - (float)n * 0.693359375f) - (float)n * -2.12194440e-4f;
    float total = 1.0f / 720;
    for (uint32_t k = 0; k < 6; k++) total = total * r + taylor[k];
    return total * te_power_of_two(n);
}

#endif
