/* Functions of float32 in float32 arithmetic alone: no library of the C compiler, the same bits on every core.
 *
 * All rely on every operation being rounded on its own: compile with -ffp-contract=off. How far each is from the
 * real function says its NumPy twin (host/tinyengine/ir/floating.py).
 */
#ifndef TE_FLOAT_H
#define TE_FLOAT_H

#include "tinyengine/te_types.h"

#include <string.h>

TE_BEGIN_C

TE_INLINE float te_float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

TE_INLINE uint32_t te_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

TE_INLINE float te_absolute_f32(float x) {
    return te_float_of(te_bits_of(x) & 0x7fffffffu);
}

/* What is no number stays none. */
TE_INLINE float te_clamp_f32(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* n with x = n log 2 + r, and e^r - 1; |x| < 104. */
TE_INLINE int32_t te_exp_parts(float x, float *rest) {
    const int32_t n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    float r = x - (float)n * 0.693359375f;
    r = r - (float)n * -2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    *rest = y * (r * r) + r;
    return n;
}

static inline float te_exp_f32(float x) {
    if (x != x) return x;
    if (x > 88.72283935546875f) return te_float_of(0x7f800000u);
    if (x < -103.97208404541016f) return 0.0f;
    float rest;
    const int32_t n = te_exp_parts(x, &rest), half = n >= 0 ? n / 2 : -((1 - n) / 2);
    const float y = (rest + 1.0f) * te_float_of((uint32_t)(half + 127) << 23);
    return y * te_float_of((uint32_t)(n - half + 127) << 23);
}

static inline float te_expm1_f32(float x) {
    if (te_absolute_f32(x) < 1.0f) {
        float rest;
        if (te_exp_parts(x, &rest) == 0) return rest;
    }
    return te_exp_f32(x) - 1.0f;
}

static inline float te_log_f32(float x) {
    if (x != x || x < 0.0f) return te_float_of(0x7fc00000u);
    if (x == 0.0f) return te_float_of(0xff800000u);
    if (te_bits_of(x) == 0x7f800000u) return x;
    int32_t exponent = -126;
    if (x < 1.1754943508222875e-38f) {
        x = x * 8388608.0f;
        exponent -= 23;
    }
    const uint32_t bits = te_bits_of(x);
    exponent += (int32_t)(bits >> 23);
    float m = te_float_of((bits & 0x7fffffu) | 0x3f000000u);
    if (m < 0.707106781186547524f) {
        exponent--;
        m = m + m;
    }
    m = m - 1.0f;
    const float e = (float)exponent, z = m * m;
    float y = 7.0376836292e-2f;
    y = y * m + -1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m + -1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m + -1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m + -2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z;
    y = y + e * -2.12194440e-4f;
    y = y - 0.5f * z;
    return m + y + e * 0.693359375f;
}

static inline float te_tanh_f32(float x) {
    const float size = te_absolute_f32(x);
    if (x != x) return x;
    if (size < 0.625f) {
        const float z = x * x;
        float y = -5.70498872745e-3f;
        y = y * z + 2.06390887954e-2f;
        y = y * z + -5.37397155531e-2f;
        y = y * z + 1.33314422036e-1f;
        y = y * z + -3.33332819422e-1f;
        return y * z * x + x;
    }
    const float y = 1.0f - 2.0f / (te_exp_f32(size < 10.0f ? size + size : 20.0f) + 1.0f);
    return x < 0.0f ? -y : y;
}

/* 1 - erf(x). */
static inline float te_erfc_f32(float x) {
    const float size = te_absolute_f32(x), t = 1.0f / (1.0f + 0.5f * size);
    float y = 0.17087277f;
    y = y * t + -0.82215223f;
    y = y * t + 1.48851587f;
    y = y * t + -1.13520398f;
    y = y * t + 0.27886807f;
    y = y * t + -0.18628806f;
    y = y * t + 0.09678418f;
    y = y * t + 0.37409196f;
    y = y * t + 1.00002368f;
    y = y * t + -1.26551223f;
    y = t * te_exp_f32(y - size * size);
    return x < 0.0f ? 2.0f - y : y;
}

static inline float te_logistic_f32(float x) {
    if (x > 16.619047164916992f) return 1.0f;
    if (x < -9.0f) return te_exp_f32(x);
    return 1.0f / (1.0f + te_exp_f32(-x));
}

/* Bit by bit; rounded to nearest as the instruction of an FPU rounds. */
static inline float te_sqrt_f32(float x) {
    uint32_t bits = te_bits_of(x);
    if (x != x || x < 0.0f) return te_float_of(0x7fc00000u);
    if (x == 0.0f || bits == 0x7f800000u) return x;
    int32_t exponent = (int32_t)(bits >> 23);
    if (exponent == 0) {
        while (!(bits & 0x800000u)) {
            bits <<= 1;
            exponent--;
        }
        exponent++;
    }
    exponent -= 127;
    uint32_t rest = (bits & 0x7fffffu) | 0x800000u, root = 0, sum = 0;
    if (exponent & 1) rest += rest;
    const int32_t halved = exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2);
    rest += rest;
    for (uint32_t bit = 0x1000000u; bit; bit >>= 1) {
        const uint32_t next = sum + bit;
        if (next <= rest) {
            sum = next + bit;
            rest -= next;
            root += bit;
        }
        rest += rest;
    }
    if (rest) root += root & 1;
    return te_float_of((root >> 1) + 0x3f000000u + ((uint32_t)halved << 23));
}

/* Towards minus infinity. */
static inline float te_floor_f32(float x) {
    if (!(te_absolute_f32(x) < 8388608.0f)) return x;
    const float whole = (float)(int32_t)x;
    return te_float_of(te_bits_of(whole > x ? whole - 1.0f : whole) | (te_bits_of(x) & 0x80000000u));
}

static inline float te_ceil_f32(float x) {
    return -te_floor_f32(-x);
}

/* To the nearest whole number, halves to the even one. Between -0.5 and 0 it is 0, not -0. */
static inline float te_round_f32(float x) {
    if (!(te_absolute_f32(x) < 8388608.0f)) return x;
    const float size = te_absolute_f32(x);
    int32_t whole = (int32_t)size;
    const float rest = size - (float)whole;
    if (rest > 0.5f || (rest == 0.5f && (whole & 1))) whole++;
    if (whole == 0 && size > 0.0f) return 0.0f;
    return te_float_of(te_bits_of((float)whole) | (te_bits_of(x) & 0x80000000u));
}

/* The remainder of x / y with the sign of x, exact. */
static inline float te_fmod_f32(float x, float y) {
    const uint32_t a = te_bits_of(x) & 0x7fffffffu, b = te_bits_of(y) & 0x7fffffffu;
    if (b == 0 || a >= 0x7f800000u || b > 0x7f800000u) return te_float_of(0x7fc00000u);
    if (a < b) return x;
    const uint32_t high_a = a >> 23, high_b = b >> 23;
    uint32_t rest = high_a ? (a & 0x7fffffu) | 0x800000u : a;
    const uint32_t divisor = high_b ? (b & 0x7fffffu) | 0x800000u : b;
    const uint32_t exponent = high_b ? high_b : 1;
    for (uint32_t left = (high_a ? high_a : 1) - exponent; left > 0;) {
        const uint32_t step = left < 8 ? left : 8;
        rest = ((rest % divisor) << step) % divisor;
        left -= step;
    }
    const float unit = te_float_of(exponent < 24 ? 1u << (exponent - 1) : (exponent - 23) << 23);
    return te_float_of(te_bits_of((float)(rest % divisor) * unit) | (te_bits_of(x) & 0x80000000u));
}

/* The same with the sign of y. */
static inline float te_floor_mod_f32(float x, float y) {
    const float rest = te_fmod_f32(x, y);
    return rest != 0.0f && (y < 0.0f) != (rest < 0.0f) ? rest + y : rest;
}

/* x / y towards minus infinity. A quotient that is rounded to a whole number may lie below it: then the remainder
 * tells. */
static inline float te_floor_div_f32(float x, float y) {
    const float quotient = x / y, whole = te_floor_f32(quotient), size = te_absolute_f32(y);
    if (whole != quotient || te_absolute_f32(quotient) >= 16777216.0f || te_bits_of(size) >= 0x7f800000u)
        return whole;
    const float rest = te_absolute_f32(te_fmod_f32(x, y));
    const int below = (x < 0.0f) != (y < 0.0f) ? rest > 0.0f && rest <= size - rest : rest > size - rest;
    return below ? whole - 1.0f : whole;
}

/* The sine of x and of so many quarter turns: x is reduced by as many bits of 2 / pi as count. */
static inline float te_sin_cos(float x, uint32_t quarters) {
    static const uint8_t two_over_pi[] = {
        0x00, 0x00, 0x00, 0x00, 0xa2, 0xf9, 0x83, 0x6e, 0x4e, 0x44, 0x15, 0x29, 0xfc, 0x27, 0x57, 0xd1, 0xf5,
        0x34, 0xdd, 0xc0, 0xdb, 0x62, 0x95, 0x99, 0x3c, 0x43, 0x90, 0x41, 0xfe, 0x51, 0x63, 0xab, 0xde,
    };
    const uint32_t bits = te_bits_of(x) & 0x7fffffffu;
    if (bits >= 0x7f800000u) return te_float_of(0x7fc00000u);
    float r = x;
    if (bits >= 0x3f490fdbu) {
        const uint32_t start = (bits >> 23) - 120, shift = start & 7;
        const uint8_t *const from = two_over_pi + start / 8;
        uint64_t high = 0, low = 0;
        for (int32_t i = 0; i < 8; i++) high = high << 8 | from[i];
        for (int32_t i = 8; i < 13; i++) low = low << 8 | from[i];
        const uint64_t mantissa = (bits & 0x7fffffu) | 0x800000u;
        high = high << shift | low >> (40 - shift);
        low = low >> (8 - shift) & 0xffffffffu;
        const uint64_t turns = mantissa * high + (mantissa * low >> 32); /* mod 4, 62 fraction bits */
        const uint64_t n = (turns + (UINT64_C(1) << 61)) >> 62;
        r = (float)(int64_t)(turns - (n << 62)) * 3.40612158e-19f;
        r = x < 0.0f ? -r : r;
        quarters += x < 0.0f ? 4 - (uint32_t)n : (uint32_t)n;
    }
    const float z = r * r;
    float y;
    if (quarters & 1) {
        y = 2.443315711809948e-5f;
        y = y * z + -1.388731625493765e-3f;
        y = y * z + 4.166664568298827e-2f;
        y = y * z * z - 0.5f * z + 1.0f;
    } else {
        y = -1.9515295891e-4f;
        y = y * z + 8.3321608736e-3f;
        y = y * z + -1.6666654611e-1f;
        y = y * z * r + r;
    }
    return quarters & 2 ? -y : y;
}

static inline float te_sin_f32(float x) {
    return te_sin_cos(x, 0);
}

static inline float te_cos_f32(float x) {
    return te_sin_cos(x, 1);
}

TE_END_C

#endif
