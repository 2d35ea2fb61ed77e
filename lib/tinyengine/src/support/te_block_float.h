/* Pixels of block floating point (te_backward.h). */
#ifndef TE_BLOCK_FLOAT_H
#define TE_BLOCK_FLOAT_H

#include "te_pairs.h"
#include "tinyengine/te_gradient_sums.h"

#include <string.h>

#define TE_ZERO_EXPONENT (-128)
#define TE_MAX_EXPONENT 127
#define TE_MANTISSA_BITS 15
#define TE_MANTISSA_MAX 32767

/* (x + half) >> shift without overflow; shift 0..31. */
static inline int32_t te_shift_round(int32_t x, int32_t shift) {
    return shift ? ((x >> (shift - 1)) + 1) >> 1 : x;
}

static inline int8_t *te_exponents(int16_t *g, uint32_t pixels, uint32_t channels) {
    return (int8_t *)(g + pixels * channels);
}

static inline const int8_t *te_exponents_of(const int16_t *g, uint32_t pixels, uint32_t channels) {
    return (const int8_t *)(g + pixels * channels);
}

static inline int32_t te_largest_exponent(const int8_t *exponents, uint32_t pixels) {
    int32_t largest = TE_ZERO_EXPONENT;
    for (uint32_t i = 0; i < pixels; i++)
        if (exponents[i] > largest) largest = exponents[i];
    return largest;
}

/* A pixel of zeros. */
static inline int8_t te_zero_pixel(int16_t *out, uint32_t channels) {
    memset(out, 0, 2 * channels);
    return TE_ZERO_EXPONENT;
}

/* What holds for every pixel that is written:
 * exponents below int8's range count as zero, above it saturate. */
static inline int8_t te_limit_pixel(int16_t *out, uint32_t channels, int32_t exponent) {
    if (exponent <= TE_ZERO_EXPONENT) return te_zero_pixel(out, channels);
    if (exponent <= TE_MAX_EXPONENT) return (int8_t)exponent;
    for (uint32_t c = 0; c < channels; c++)
        out[c] = (int16_t)(out[c] > 0 ? TE_MANTISSA_MAX : out[c] < 0 ? -TE_MANTISSA_MAX : 0);
    return TE_MAX_EXPONENT;
}

/* sums * 2^exponent as mantissas of 15 bits; `magnitude`: all |sums| combined by or. Returns the exponent. */
static inline int8_t te_normalize_known(const int32_t *sums, uint32_t channels, uint32_t magnitude,
                                        int32_t exponent, int16_t *out) {
    if (!magnitude) return te_zero_pixel(out, channels);
    const int32_t shift = 32 - __builtin_clz(magnitude) - TE_MANTISSA_BITS;
    if (shift > 0) {
        const int32_t half = (int32_t)(1u << (shift - 1)); /* no overflow: sums stay 2^16 below the limits */
        if (channels % 4 == 0 && shift > 1)
            te_round_4(sums, out, channels / 4, shift);
        else
            for (uint32_t c = 0; c < channels; c++)
                out[c] = (int16_t)te_saturate16((sums[c] + half) >> shift);
    } else {
        for (uint32_t c = 0; c < channels; c++) out[c] = (int16_t)((uint32_t)sums[c] << -shift);
    }
    return te_limit_pixel(out, channels, exponent + shift);
}

static inline uint32_t te_magnitude(int32_t x) {
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

static inline uint32_t te_magnitude_of(const int32_t *sums, uint32_t count) {
    uint32_t magnitude = 0;
    if (count % 4 == 0) return te_magnitude_4(sums, count / 4);
    for (uint32_t c = 0; c < count; c++) magnitude |= te_magnitude(sums[c]);
    return magnitude;
}

/* out = known + own, pixel by pixel; out may be either. sums: working memory. Returns the exponent. */
static inline int8_t te_add_pixel(const int16_t *known, int32_t known_exponent, const int16_t *own,
                                  int32_t own_exponent, uint32_t channels, int32_t *sums, int16_t *out) {
    const int32_t exponent = known_exponent > own_exponent ? known_exponent : own_exponent;
    const int32_t guard = TE_MANTISSA_BITS - 1;
    const int32_t known_shift = exponent - known_exponent > 31 ? 31 : exponent - known_exponent;
    const int32_t own_shift = exponent - own_exponent > 31 ? 31 : exponent - own_exponent;
    uint32_t magnitude = 0;
    for (uint32_t c = 0; c < channels; c++) {
        sums[c] = (known[c] * (1 << guard) >> known_shift) + (own[c] * (1 << guard) >> own_shift);
        magnitude |= te_magnitude(sums[c]);
    }
    return te_normalize_known(sums, channels, magnitude, exponent - guard, out);
}

#endif
