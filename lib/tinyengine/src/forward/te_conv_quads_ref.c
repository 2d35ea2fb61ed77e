/* Portable twins of te_conv_quads_dsp.S. */
#include "tinyengine/te_conv_quads.h"
#include "tinyengine/te_requant.h"

#include "../support/te_requant_fixed.h"

#if !TE_DSP

/* Constants of four channels. */
typedef struct quad {
    const uint32_t *body;
    const int32_t *bias02, *bias13, *round;
} quad;

/* Weight of channel 0 or 1 of a pair. */
static int32_t weight_of(uint32_t both, uint32_t channel) {
    const int32_t pair = (int16_t)(uint16_t)both, low = (int8_t)(uint8_t)both;
    return channel ? (pair - low) / 256 : low;
}

/* Products of a pixel with a channel. */
static int32_t dot(const uint32_t *column, uint32_t pixel, const quad *q, uint32_t channel, uint32_t groups) {
    const int16_t *x = (const int16_t *)(column + pixel);
    const uint32_t *w = q->body + channel / 2;
    int32_t sum = 0;
    for (uint32_t g = 0; g < 2 * groups; g++, x += 4, w += 2)
        sum += x[0] * weight_of(*w & 0xffffu, channel & 1) + x[1] * weight_of(*w >> 16, channel & 1);
    return sum;
}

static int32_t round_channel(int32_t sum, const quad *q, uint32_t channel, int32_t zero, int exact) {
    const int32_t bias = (channel & 1 ? q->bias13 : q->bias02)[channel / 2];
    const int32_t *r = q->round;
    if (!exact) return te_round_fast(te_wrap_add(sum, bias), r[channel], zero);
    if (r[0] < 0) {
        r += 1 + 5 * channel;
        return te_round_wide(te_wrap_add(sum, bias), r[0], r[1], r[2], r[3], r[4]);
    }
    const uint32_t e = (uint32_t)r[0] >> 8 * channel & 0xff;
    const uint32_t doubled = 2 * (uint32_t)sum + (uint32_t)(channel & 1 ? bias : te_wrap_add(bias, bias));
    return te_round_exact((int32_t)doubled, r[1 + channel], (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)),
                          (int32_t)e);
}

static void quads(const te_conv_tiles_args *a, int exact) {
    const uint32_t *w = a->weights, pixels = 2 * a->pairs + a->odd, column_words = 4 * a->groups + 2;
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels; /* last whole pair */
    for (uint32_t c = 0; c < a->channels; c += 4) {
        const uint32_t base = c + 4 <= a->channels ? c : a->channels - 4;
        const int32_t *tail = (const int32_t *)(w + 2 + 4 * a->groups);
        const quad q = {w + 2, (const int32_t *)w, tail, tail + 2};
        for (uint32_t i = 0; i < pixels; i++) {
            const uint32_t *column = a->columns + (i >> 1) * column_words;
            int8_t *out = last + (int32_t)column[4 * a->groups + (i & 1)] + base;
            for (uint32_t j = 0; j < 4; j++)
                out[j] = (int8_t)round_channel(dot(column, i & 1, &q, j, a->groups), &q, j, a->zero, exact);
        }
        const uint32_t words = !exact           ? TE_CONV_QUADS_FAST_WORDS
                               : q.round[0] < 0 ? TE_CONV_QUADS_WIDE_WORDS
                                                : TE_CONV_QUADS_EXACT_WORDS;
        w = (const uint32_t *)tail + 2 + words;
    }
}

void te_conv_quads_fast(const te_conv_tiles_args *args) {
    quads(args, 0);
}

void te_conv_quads_exact(const te_conv_tiles_args *args) {
    quads(args, 1);
}

#endif
