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

/* Natural logarithm of a normal x > 0: x = 2^n m with m in [0.75, 1.5),
 * log m = 2 artanh((m - 1) / (m + 1)). */
static inline float te_log_positive(float x) {
    static const float series[5] = {1.0f / 9, 1.0f / 7, 1.0f / 5, 1.0f / 3, 1.0f};
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t n = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    float m;
    memcpy(&m, &bits, sizeof m);
    if (m >= 1.5f) m = m * 0.5f, n++;
    const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
    float total = 1.0f / 11;
    for (uint32_t k = 0; k < 5; k++) total = total * square + series[k];
    return (float)n * 0.693147180559945f + (s + s) * total;
}

#endif
