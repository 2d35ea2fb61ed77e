/* ADD of two tensors of one shape, or of one and a constant that repeats; TFLite's rounding exactly.
 *
 * TFLite gives both inputs 20 bits of headroom and rescales them to twice the larger scale. So the input with
 * the larger scale is just shifted, t = (b - zero) << 19, and only the other is rescaled with rounding
 * (te_requant_fixed.h). All values are carried doubled:
 *     u = SMMLAR(ka + (a << 21), ma, ca + sign) >> ea,   ka = -zero << 21
 *     v = kb + (b << 20) + 2 u,                          kb = -zero << 20
 *     y = SMMLAR(v, m, c + sign) >> e
 *
 * LINEAR. There are only 65536 pairs (a, b), so the compiler tries them all: where
 *     y = (c + (ma * 256 a >> 16) + (m * 256 b >> 16)) >> TE_ADD_LINEAR_SHIFT,  saturated,
 * with ma, m = the ratios of scales * 2^(TE_ADD_LINEAR_SHIFT + 8), gives TFLite's result for every pair (it
 * does for almost all scales; ties that TFLite rounds away from zero are what can prevent it), that is used.
 * 256 a are the bytes of a word where they lie: one AND makes two operands of SMLAWB and SMLAWT.
 *
 * REGISTERS: r0 a, r1 b, r2 y, r3 end of a, r4-r11 constants (linear: r4-r7, r8-lr four elements). BUDGET: 13
 * instructions per element, linear 22 per 4 elements and 2 per 8. With Helium, per 4 elements 26, linear 15.
 */
#ifndef TE_ADD_FAST_H
#define TE_ADD_FAST_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_add_fast_constants {
    int32_t ka, ca, ma, ea, kb, c, m, e;
} te_add_fast_constants;

typedef void te_add_fn(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                       uint32_t count);

#define TE_ADD_LINEAR_SHIFT 21

/* scaled: a has the smaller scale. linear: only ma m c are used. */
te_add_fn te_add_scaled, te_add_linear;

typedef struct te_add_fast_params {
    uint32_t count;
    int16_t min, max;
    te_add_fn *add;
    te_add_fast_constants constants;
} te_add_fast_params;

/* Element by element: y may be a or b, or trail them. */
void te_add_fast_s8(const te_add_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y);

typedef struct te_add_fast_const_params {
    uint32_t rows, count; /* rows of `count` elements, to each of which the constant is added */
    int16_t min, max;
    te_add_fn *add;
    const int8_t *constant;
    uint32_t constant_first; /* the constant is a */
    te_add_fast_constants constants;
} te_add_fast_const_params;

/* y may be x, or trail it. */
void te_add_fast_const_s8(const te_add_fast_const_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
