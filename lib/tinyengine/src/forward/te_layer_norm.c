/* Layer normalization: see te_layer_norm.h. */
#include "tinyengine/te_layer_norm.h"

#include <stdbool.h>

#include "../support/te_layer_norm_parts.h"
#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"
#include "tinyengine/te_add_fast.h"
#include "tinyengine/te_requant.h"

TE_INLINE int32_t rounded(const te_layer_norm_round *r, int32_t doubled) {
    return te_round_exact(doubled, r->m, r->c, r->e);
}

static int32_t average(const te_scale_params *s, int32_t sum) {
    return te_clamp(te_scale(sum, s->multiplier, s->shift) + s->zero, INT8_MIN, INT8_MAX);
}

static int32_t operand(const te_scale_params *s, int32_t q) {
    return te_scale((q - s->zero) * (1 << 20), s->multiplier, s->shift);
}

static int32_t exact_sum(const te_layer_norm_add *p, int32_t a, int32_t b) {
    const int32_t sum = operand(&p->a, a) + operand(&p->b, b);
    return te_saturate8(te_scale(sum, p->out.multiplier, p->out.shift) + p->out.zero);
}

static int32_t sum_of(const int8_t *x, uint32_t count) {
    const uint32_t ones = 0x00010001u;
    int32_t sum = 0;
    for (; count >= 4; count -= 4, x += 4) {
        const uint32_t bytes = te_load_word(x);
        sum = te_smlad(te_widen_odd(bytes), ones, te_smlad(te_widen_even(bytes), ones, sum));
    }
    for (; count; count--) sum += *x++;
    return sum;
}

TE_INLINE int32_t spread_of(const te_layer_norm_round *r, int32_t x, int32_t centre) {
    const int32_t distance = 64 * x - centre;
    return rounded(r, 2 * distance * distance);
}

/* The mean of squared differences, of a row with this mean. */
static int32_t variance_of(const te_layer_norm_params *p, const int8_t *x, int32_t mean) {
    const int32_t centre =
        te_scale((mean - p->mean.zero) * 128, p->distance.multiplier, p->distance.shift) + 64 * p->x_zero;
    const te_layer_norm_round r = p->spread;
    int32_t sum = -p->spread_zero * (int32_t)p->channels;
    uint32_t count = p->channels;
    for (; count >= 4; count -= 4, x += 4) {
        sum += spread_of(&r, x[0], centre);
        sum += spread_of(&r, x[1], centre);
        sum += spread_of(&r, x[2], centre);
        sum += spread_of(&r, x[3], centre);
    }
    for (; count; count--) sum += spread_of(&r, *x++, centre);
    return average(&p->variance, sum);
}

#if !TE_DSP
/* Both products rounded down; a and b are bytes. */
static int32_t linear_sum(const te_layer_norm_linear *k, int32_t a, int32_t b) {
    const int32_t sum = k->c + (int32_t)((int64_t)k->ma * (a * 256) >> 16);
    return te_saturate8((sum + (int32_t)((int64_t)k->mb * (b * 256) >> 16)) >> TE_ADD_LINEAR_SHIFT);
}

void te_layer_norm_pairs(te_layer_norm_args *args) {
    const int16_t *gain = args->gains;
    const int8_t *shift = args->shifts;
    for (const int8_t *x = args->x; x != args->end; x++) {
        const int32_t factor = rounded(&args->factor, args->root * *gain++) - args->factor_zero;
        const int32_t moved = rounded(&args->moved, args->negative * factor);
        const int32_t offset = linear_sum(&args->offset, moved, *shift++);
        const int32_t scaled = rounded(&args->scaled, (2 * *x - args->x_zero) * factor);
        *args->y++ = (int8_t)linear_sum(&args->sum, scaled, offset);
    }
}
#endif

/* One element whatever the scales are. */
static int8_t element(const te_layer_norm_params *p, uint32_t i, int32_t x, int32_t root, int32_t negative) {
    const int32_t factor = rounded(&p->factor, root * p->gains[i]) - p->factor_zero;
    const int32_t offset = exact_sum(&p->offset, rounded(&p->moved, negative * factor), p->shifts[i]);
    const int32_t scaled = rounded(&p->scaled, 2 * (x - p->x_zero) * factor);
    return (int8_t)exact_sum(&p->y, scaled, offset);
}

static te_layer_norm_linear linear_of(const te_layer_norm_add *p) {
    const te_layer_norm_linear linear = {p->ma, p->mb, p->c};
    return linear;
}

void te_layer_norm_s8(const te_layer_norm_params *p, const int8_t *x, int8_t *y) {
    const uint32_t channels = p->channels, in_pairs = p->offset.ma && p->y.ma ? channels & ~UINT32_C(1) : 0;
    te_layer_norm_args args = {0,
                               p->factor,
                               p->factor_zero,
                               0,
                               p->moved,
                               linear_of(&p->offset),
                               2 * p->x_zero,
                               p->scaled,
                               linear_of(&p->y),
                               y,
                               NULL,
                               p->gains,
                               p->shifts,
                               x};
    for (uint32_t row = 0; row < p->rows; row++, x += channels, y += channels) {
        const int32_t sum = sum_of(x, channels) - p->x_zero * (int32_t)channels;
        const int32_t mean = average(&p->mean, sum), variance = variance_of(p, x, mean);
        args.root = p->roots[variance - INT8_MIN] - p->root_zero;
        args.negative = 2 * (p->negated[mean - INT8_MIN] - p->negative_zero);
        args.x = x, args.y = y, args.end = x + in_pairs;
        if (in_pairs) te_layer_norm_pairs(&args);
        for (uint32_t i = in_pairs; i < channels; i++) y[i] = element(p, i, x[i], args.root, args.negative);
    }
}
