#include "tinyengine/te_depthwise_column.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"

/* Adds the products of four channels: the hot loop. */
static void four(const int8_t *x, uint32_t step, const uint32_t *weights, uint32_t taps, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (const uint32_t *end = weights + taps; weights != end; x += step) {
        const uint32_t pixel = te_load_word(x), w = *weights++;
        const uint32_t even = te_widen_even(pixel), odd = te_widen_odd(pixel);
        const uint32_t w_even = te_widen_even(w), w_odd = te_widen_odd(w);
        a = te_smlabb(even, w_even, a);
        b = te_smlabb(odd, w_odd, b);
        c = te_smlatt(even, w_even, c);
        d = te_smlatt(odd, w_odd, d);
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* The same for the last one to three channels, behind which x may end. */
static void rest(const int8_t *x, uint32_t step, const uint32_t *weights, uint32_t taps, uint32_t channels,
                 int32_t *sums) {
    for (uint32_t i = 0; i < channels; i++) {
        sums[i] = 0;
        for (uint32_t t = 0; t < taps; t++)
            sums[i] += x[t * step + i] * (int8_t)(uint8_t)(weights[t] >> 8 * i);
    }
}

void te_depthwise_column_s8(const te_depthwise_column_params *p, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->row_step) {
        const uint32_t *weights = p->weights;
        const int32_t *k = p->constants;
        for (uint32_t c = 0; c < p->channels; c += 4, weights += p->taps) {
            const uint32_t count = p->channels - c < 4 ? p->channels - c : 4;
            int32_t sums[4];
            if (count == 4)
                four(x + c, p->tap_step, weights, p->taps, sums);
            else
                rest(x + c, p->tap_step, weights, p->taps, count, sums);
            for (uint32_t i = 0; i < count; i++, k += 6)
                *y++ = (int8_t)te_round_wide(te_wrap_add(sums[i], k[0]), k[1], k[2], k[3], k[4], k[5]);
        }
    }
    te_clamp_s8(y - p->rows * p->channels, p->rows * p->channels, p->min, p->max);
}
