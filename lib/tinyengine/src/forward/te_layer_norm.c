/* Layer normalization: see te_layer_norm.h. */
#include "tinyengine/te_layer_norm.h"

#include <stdbool.h>

#include "../support/te_requant_fixed.h"
#include "tinyengine/te_add_fast.h"
#include "tinyengine/te_requant.h"

TE_INLINE int32_t rounded(const te_layer_norm_round *r, int32_t doubled) {
    return te_round_exact(doubled, r->m, r->c, r->e);
}

static int32_t average(const te_scale_params *s, int32_t sum) {
    return te_clamp(te_scale(sum, s->multiplier, s->shift) + s->zero, INT8_MIN, INT8_MAX);
}

/* sum + m * x / 2^8, rounded down; x is a byte. */
TE_INLINE int32_t plus_part(int32_t sum, int32_t m, int32_t x) {
#if TE_DSP
    return __builtin_arm_smlawb(m, x * 256, sum);
#else
    return sum + (int32_t)((int64_t)m * (x * 256) >> 16);
#endif
}

static int32_t operand(const te_scale_params *s, int32_t q) {
    return te_scale((q - s->zero) * (1 << 20), s->multiplier, s->shift);
}

static int32_t exact_sum(const te_layer_norm_add *p, int32_t a, int32_t b) {
    const int32_t sum = operand(&p->a, a) + operand(&p->b, b);
    return te_saturate8(te_scale(sum, p->out.multiplier, p->out.shift) + p->out.zero);
}

TE_INLINE int32_t sum_of(const te_layer_norm_add *p, int32_t a, int32_t b, bool linear) {
    if (!linear) return exact_sum(p, a, b);
    return te_saturate8(plus_part(plus_part(p->c, p->ma, a), p->mb, b) >> TE_ADD_LINEAR_SHIFT);
}

/* The mean of squared differences, of a row with this mean. */
static int32_t variance_of(const te_layer_norm_params *p, const int8_t *x, int32_t mean) {
    const int32_t centre =
        te_scale((mean - p->mean.zero) * 128, p->distance.multiplier, p->distance.shift) + 64 * p->x_zero;
    const te_layer_norm_round r = p->spread;
    int32_t sum = -p->spread_zero * (int32_t)p->channels;
    for (uint32_t i = 0; i < p->channels; i++) {
        const int32_t distance = 64 * x[i] - centre;
        sum += rounded(&r, 2 * distance * distance);
    }
    return average(&p->variance, sum);
}

TE_INLINE void scale_row(const te_layer_norm_params *p, const int8_t *x, int8_t *y, int32_t root,
                         int32_t negative, bool linear) {
    const te_layer_norm_round factors = p->factor, moves = p->moved, scales = p->scaled;
    const te_layer_norm_add offsets = p->offset, sums = p->y;
    const int32_t x_zero = p->x_zero, factor_zero = p->factor_zero;
    const int16_t *gains = p->gains;
    const int8_t *shifts = p->shifts;
    negative *= 2;
    for (uint32_t i = 0; i < p->channels; i++) {
        const int32_t factor = rounded(&factors, root * gains[i]) - factor_zero;
        const int32_t offset = sum_of(&offsets, rounded(&moves, negative * factor), shifts[i], linear);
        const int32_t scaled = rounded(&scales, 2 * (x[i] - x_zero) * factor);
        y[i] = (int8_t)sum_of(&sums, scaled, offset, linear);
    }
}

void te_layer_norm_s8(const te_layer_norm_params *p, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->channels, y += p->channels) {
        int32_t sum = -p->x_zero * (int32_t)p->channels;
        for (uint32_t i = 0; i < p->channels; i++) sum += x[i];
        const int32_t mean = average(&p->mean, sum), variance = variance_of(p, x, mean);
        const int32_t root = p->roots[variance - INT8_MIN] - p->root_zero;
        const int32_t negative = p->negated[mean - INT8_MIN] - p->negative_zero;
        if (p->offset.ma && p->y.ma)
            scale_row(p, x, y, root, negative, true);
        else
            scale_row(p, x, y, root, negative, false);
    }
}
