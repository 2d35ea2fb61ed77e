#include "tinyengine/te_depthwise_column.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_depthwise_four.h"

/* Adds the products of four channels: the hot loop. */
static inline te_four four(const int8_t *x, uint32_t step, const uint32_t *weights, uint32_t taps) {
    te_four sums = te_no_four();
    for (const uint32_t *end = weights + taps; weights != end; x += step)
        sums = te_add_four(sums, te_load_bytes(x), weights++);
    return sums;
}

/* The same for the last one to three channels, behind which x may end. */
static void rest(const int8_t *x, uint32_t step, const uint32_t *weights, uint32_t taps, uint32_t channels,
                 int32_t *sums) {
    for (uint32_t i = 0; i < channels; i++) {
        sums[i] = 0;
        for (uint32_t t = 0; t < taps; t++) sums[i] += x[t * step + i] * te_weight_of(weights[t], i);
    }
}

void te_depthwise_column_s8(const te_depthwise_column_params *p, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->row_step) {
        const uint32_t *weights = p->weights;
        const int32_t *k = p->constants;
        for (uint32_t c = 0; c < p->channels; c += 4, weights += p->taps) {
            const uint32_t count = p->channels - c < 4 ? p->channels - c : 4;
            if (count == 4) {
                te_round_four(four(x + c, p->tap_step, weights, p->taps), k, y);
                k += 24, y += 4;
                continue;
            }
            int32_t sums[4];
            rest(x + c, p->tap_step, weights, p->taps, count, sums);
            for (uint32_t i = 0; i < count; i++, k += 6) *y++ = te_round_channel(sums[i], k);
        }
    }
    te_clamp_s8(y - p->rows * p->channels, p->rows * p->channels, p->min, p->max);
}
