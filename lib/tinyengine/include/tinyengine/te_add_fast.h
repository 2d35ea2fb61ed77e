/* ADD of two tensors of one shape, TFLite's rounding exactly.
 *
 * TFLite gives both inputs 20 bits of headroom and rescales them to twice the larger scale. So the input with
 * the larger scale is just shifted, t = (b - zero) << 19, and only the other is rescaled with rounding
 * (te_requant_fixed.h). All values are carried doubled: u = (SMMLAR(ka + (a << 21), ma, ca + sign) >> ea),  v
 * = kb + (b << 20) + 2 u,  y = SMMLAR(v, m, c + sign) >> e with ka = -zero << 21, kb = -zero << 20. With
 * equal scales v = kb + ((a + b) << 20), kb = -(both zeros) << 20.
 *
 * REGISTERS: r0 a, r1 b, r2 y, r3 end of a, r4-r11 constants. BUDGET: 13 instructions per element (9 with
 * equal scales).
 */
#ifndef TE_ADD_FAST_H
#define TE_ADD_FAST_H

#include "tinyengine/te_types.h"

typedef struct te_add_fast_constants {
    int32_t ka, ca, ma, ea, kb, c, m, e;
} te_add_fast_constants;

typedef void te_add_fn(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y,
                       uint32_t count);

/* a has the smaller scale; equal: both have the same, and ka ca ma ea are not used. */
te_add_fn te_add_scaled, te_add_equal;

typedef struct te_add_fast_params {
    uint32_t count;
    int16_t min, max;
    te_add_fn *add;
    te_add_fast_constants constants;
} te_add_fast_params;

/* Element by element: y may be a or b, or trail them. */
void te_add_fast_s8(const te_add_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y);

#endif
