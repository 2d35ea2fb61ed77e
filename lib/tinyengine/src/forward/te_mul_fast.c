#include "tinyengine/te_mul_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"

#if TE_DSP
#include <arm_acle.h>
#include <string.h>

typedef struct factors {
    int32_t even, odd; /* elements 0 and 2, 1 and 3, less the zero point */
} factors;

static inline int32_t in_both_halves(int16_t zero) {
    return (int32_t)((uint16_t)zero * UINT32_C(0x10001));
}

static inline factors factors_of(const int8_t *x, int32_t zeros) {
    uint32_t bytes;
    memcpy(&bytes, x, 4);
    const factors f = {__ssub16(__sxtb16((int8x4_t)bytes), zeros),
                       __ssub16(__sxtb16((int8x4_t)(bytes >> 8 | bytes << 24)), zeros)};
    return f;
}
#endif

static void multiply_row(const te_mul_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    const int32_t m = p->m, c = p->c, e = p->e;
    uint32_t i = 0;
#if TE_DSP
    const int32_t zeros_a = in_both_halves(p->zero_a), zeros_b = in_both_halves(p->zero_b);
    for (const uint32_t fours = p->count & ~UINT32_C(3); i < fours; i += 4) {
        const factors f = factors_of(a + i, zeros_a), g = factors_of(b + i, zeros_b);
        const int32_t even = __sadd16(f.even, f.even), odd = __sadd16(f.odd, f.odd);
        const int32_t y0 = te_round_exact((int16_t)even * (int16_t)g.even, m, c, e);
        const int32_t y1 = te_round_exact((int16_t)odd * (int16_t)g.odd, m, c, e);
        const int32_t y2 = te_round_exact((even >> 16) * (g.even >> 16), m, c, e);
        const int32_t y3 = te_round_exact((odd >> 16) * (g.odd >> 16), m, c, e);
        y[i] = (int8_t)y0, y[i + 1] = (int8_t)y1, y[i + 2] = (int8_t)y2, y[i + 3] = (int8_t)y3;
    }
#endif
    for (; i < p->count; i++)
        y[i] = (int8_t)te_round_exact(2 * (a[i] - p->zero_a) * (b[i] - p->zero_b), m, c, e);
}

void te_mul_fast_s8(const te_mul_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    int8_t *row = y;
    for (uint32_t i = 0; i < p->rows; i++, a += p->step_a, b += p->step_b, row += p->count)
        multiply_row(p, a, b, row);
    te_clamp_s8(y, p->rows * p->count, p->min, p->max);
}

void te_mul_fast_const_s8(const te_mul_fast_params *p, const int8_t *a, int8_t *y) {
    te_mul_fast_s8(p, a, p->constant, y);
}
