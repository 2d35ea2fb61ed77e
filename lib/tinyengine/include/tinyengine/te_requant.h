/* Exact requantization: the arithmetic of TFLite's int8 reference kernels (fixed point, mostly rounded
 * twice), for kernels and for the loops that the compiler generates.
 *
 * Right shifts of negative numbers are arithmetic here, as every supported compiler defines them.
 */
#ifndef TE_REQUANT_H
#define TE_REQUANT_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* a + b modulo 2^32: TFLite's accumulators wrap where a converter saturated a bias. */
static inline int32_t te_wrap_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t te_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

/* round(x * m / 2^31), halves upwards; m >= 0, or m < 0 and x > INT32_MIN. */
static inline int32_t te_high_mul(int32_t x, int32_t m) {
    return (int32_t)(((int64_t)x * m + (1 << 30)) >> 31);
}

/* round(x / 2^e), halves away from zero; 0 <= e <= 31. */
static inline int32_t te_round_shift(int32_t x, int32_t e) {
    const uint32_t mask = (UINT32_C(1) << e) - 1;
    const uint32_t remainder = (uint32_t)x & mask;
    const uint32_t threshold = (mask >> 1) + (x < 0 ? 1u : 0u);
    return (x >> e) + (remainder > threshold ? 1 : 0);
}

/* x * multiplier / 2^31 * 2^shift, -31 <= shift <= 30 (TFLite: MultiplyByQuantizedMultiplier). */
static inline int32_t te_scale(int32_t x, int32_t multiplier, int32_t shift) {
    if (shift > 0) return te_high_mul((int32_t)((uint32_t)x << shift), multiplier);
    return te_round_shift(te_high_mul(x, multiplier), -shift);
}

/* A real factor, for loops that apply it to sums. */
typedef struct te_factor {
    int32_t multiplier, shift; /* as te_scale takes them */
    int32_t half;              /* 2^(-shift - 1), if shift < 0 */
} te_factor;

/* Accumulator of output channel `channel` -> int8. */
TE_INLINE int8_t te_requantize(int32_t acc, const te_requant *q, uint32_t channel) {
    const uint32_t i = q->per_tensor ? 0 : channel;
    const int32_t scaled = te_scale(acc, q->multiplier[i], q->shift[i]);
    return (int8_t)te_clamp(te_wrap_add(scaled, q->zero), q->min, q->max);
}

/* The same rounded once, halves away from zero: what TFLite's fully connected layers do. */
static inline int8_t te_requantize_once(int32_t acc, const te_requant *q, uint32_t channel) {
    const uint32_t i = q->per_tensor ? 0 : channel;
    const int32_t down = 31 - q->shift[i]; /* 1 .. 62 */
    const int64_t product = (int64_t)acc * q->multiplier[i];
    const int64_t scaled = (product + (INT64_C(1) << (down - 1)) - (product < 0 ? 1 : 0)) >> down;
    const int64_t y = scaled + q->zero;
    return (int8_t)(y < q->min ? q->min : y > q->max ? q->max : y);
}

TE_END_C

#endif
