/* Sums to int16: the arithmetic of TFLite's reference kernels of int16 activations with int8 weights, and its
 * tables of functions. What rounds twice is te_scale (te_requant.h). */
#ifndef TE_INT16_H
#define TE_INT16_H

#include "tinyengine/te_requant.h"

TE_BEGIN_C

/* round(sum * multiplier / 2^shift), halves upwards; |sum| < 2^47, a multiplier of 15 bits, 8 <= shift <= 46. */
static inline int32_t te_scale_short(int64_t sum, int32_t multiplier, int32_t shift) {
    return (int32_t)((sum * multiplier + (INT64_C(1) << (shift - 1))) >> shift);
}

/* floor(a * b / 2^64). */
static inline uint64_t te_high_mul_64(uint64_t a, uint64_t b) {
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t first = a0 * b1 + (a0 * b0 >> 32), second = a1 * b0 + (uint32_t)first;
    return a1 * b1 + (first >> 32) + (second >> 32);
}

/* The upper 64 bits of a product, one more where rounding the product to the 53 bits of a double reaches them: where what
 * lies below misses at most half of that double's last bit. */
static inline uint64_t te_high_of_double(uint64_t high, uint64_t low) {
    if (low < UINT64_MAX << 57)
        return high; /* products have at most 110 bits, and their 53rd is the 57th at most */
    uint32_t bits = 10;
    for (uint64_t left = high; left; left >>= 1) bits++;
    return high + (~low >> bits == 0);
}

/* sum times a real factor, m / 2^(64 + down - up), rounded as the product of doubles, and then to a whole number, halves
 * away from zero; at most +-2^16. 0 <= m < 2^63, 1 <= down; up > 0 (factors from 1/4 on): sums beyond 2^20 count as
 * 2^20. */
static inline int32_t te_scale_real(int64_t sum, int64_t m, int32_t down, int32_t up) {
    uint64_t size = sum < 0 ? (uint64_t)-sum : (uint64_t)sum;
    if (up) size = (size > UINT64_C(1) << 20 ? UINT64_C(1) << 20 : size) << up;
    const uint64_t high = te_high_of_double(te_high_mul_64(size, (uint64_t)m), size * (uint64_t)m);
    size = (high + (UINT64_C(1) << (down - 1))) >> down;
    const int32_t y = size > 1 << 16 ? 1 << 16 : (int32_t)size;
    return sum < 0 ? -y : y;
}

/* Between the entries of a table of 513 over all of int16. */
static inline int32_t te_interpolate(const int16_t *table, int32_t x) {
    const int16_t *entry = table + 256 + (x >> 7);
    return (int16_t)(entry[0] + (((int16_t)(entry[1] - entry[0]) * (x & 127) + 64) >> 7));
}

/* sigmoid(x / 2^bits / 24) with 16 + bits fraction bits; table: for x / 2^bits = 0 .. 255. */
static inline int32_t te_sigmoid(const uint16_t *table, uint32_t x, uint32_t bits) {
    const uint16_t *entry = table + (x >> bits);
    return (int32_t)(((uint32_t)entry[0] << bits) +
                     (x & ((1u << bits) - 1)) * (uint32_t)(entry[1] - entry[0]));
}

TE_END_C

#endif
