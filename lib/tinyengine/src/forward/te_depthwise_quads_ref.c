/* Portable twins of te_depthwise_quads_dsp.S. */
#include "tinyengine/te_depthwise_quads.h"

#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"
#include "tinyengine/te_requant.h"

#if !TE_DSP

#define STEP (TE_DEPTHWISE_STEP / 4)
#define CHANNEL (TE_DEPTHWISE_CHANNEL / 4)

/* Pixel `i` of a channel of a row that begins at `words`: pixel 0 of padding and all behind the row too. */
static uint32_t pixel(const te_depthwise_stage_args *a, const int8_t *row, uint32_t i, uint32_t channel) {
    const uint32_t count = 2 * (a->lead + a->words) + a->odd; /* the first word has one of them */
    if (i < a->lead || i >= count) return a->padding & 0xffffu;
    return (uint32_t)row[(i - a->lead) * a->pitch + channel] & 0xffffu;
}

void te_depthwise_stage(const te_depthwise_stage_args *a) {
    for (uint32_t r = 0; r < a->rows; r++)
        for (uint32_t i = 0; i < a->words + a->lead + 1; i++)
            for (uint32_t c = 0; c < 4; c++) {
                const int8_t *row = a->x + r * a->line;
                a->to[i * STEP + c * CHANNEL + r] = pixel(a, row, 2 * i, c) | pixel(a, row, 2 * i + 1, c)
                                                                                  << 16;
            }
}

/* Products of one output, whose first word in the first row is at `word`; odd: it begins with the second pixel. */
static int32_t sum_of(const uint32_t *word, uint32_t odd, const uint32_t *taps) {
    int32_t sum = 0;
    for (uint32_t ky = 0; ky < 3; ky++, word++) {
        const uint32_t pixels[4] = {word[0] & 0xffffu, word[0] >> 16, word[STEP] & 0xffffu, word[STEP] >> 16};
        const int8_t w[3] = {(int8_t)(uint8_t)taps[ky], (int8_t)(uint8_t)(taps[ky] >> 8),
                             (int8_t)(uint8_t)(taps[ky] >> 24)};
        for (uint32_t kx = 0; kx < 3; kx++) sum += (int16_t)(uint16_t)pixels[odd + kx] * w[kx];
    }
    return sum;
}

static int32_t round_sum(int32_t sum, const uint32_t *k, int32_t zero, int exact) {
    const int32_t bias = (int32_t)k[3], m = (int32_t)k[4];
    if (!exact) return te_round_fast(te_wrap_add(sum, bias), m, zero);
    const int32_t e = (int32_t)(k[5] & 0xffu), l = (int32_t)(k[5] >> 8);
    const int32_t c = (int32_t)((uint32_t)(2 * zero + 1) << e) >> 1;
    return te_round_wide(te_wrap_add((int32_t)((uint32_t)sum << l), bias), m, c, e, 0, e ? -1 : 0);
}

static void run(const te_depthwise_quad_args *a, uint32_t stride, int exact) {
    for (uint32_t c = 0; c < 4; c++) {
        const uint32_t *k = a->constants + c * (exact ? 6 : 5);
        for (uint32_t r = 0; r < a->rows; r++)
            for (uint32_t i = 0; i < 6 * a->blocks + a->rest; i++) {
                const uint32_t *word = a->staged + stride * i / 2 * STEP + c * CHANNEL + stride * r;
                const int32_t sum = sum_of(word, stride * i & 1, k);
                a->y[r * a->line + i * a->pitch + c] = (int8_t)round_sum(sum, k, a->zero, exact);
            }
    }
}

#define RUN(name, stride, exact)                                                                             \
    void name(const te_depthwise_quad_args *args) {                                                          \
        run(args, stride, exact);                                                                            \
    }
RUN(te_depthwise_quad_fast, 1, 0)
RUN(te_depthwise_quad_exact, 1, 1)
RUN(te_depthwise_quad_by_2_fast, 2, 0)
RUN(te_depthwise_quad_by_2_exact, 2, 1)

#endif
