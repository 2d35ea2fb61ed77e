/* Portable twins of te_depthwise_quads_dsp.S. */
#include "tinyengine/te_depthwise_quads.h"

#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"
#include "tinyengine/te_requant.h"

#if !TE_DSP

#define STEP (TE_DEPTHWISE_STEP / 4)
#define CHANNEL (TE_DEPTHWISE_CHANNEL / 4)

/* A channel of a pixel of the row `row`, which may lie outside the picture. */
static uint32_t pixel(const te_depthwise_stage_args *a, int32_t row, uint32_t column, uint32_t channel) {
    if (row < 0 || row >= a->height) return (uint32_t)(int8_t)(uint8_t)a->padding & 0xffffu;
    return (uint32_t)a->x[(uint32_t)row * a->line + column * a->pitch + channel] & 0xffffu;
}

void te_depthwise_stage(const te_depthwise_stage_args *a) {
    for (uint32_t pair = 0; pair < a->pairs; pair++)
        for (uint32_t i = 0; i < a->columns; i++)
            for (uint32_t c = 0; c < 4; c++) {
                const int32_t row = a->row + 2 * (int32_t)pair;
                a->to[i * STEP + c * CHANNEL + pair] = pixel(a, row, i, c) | pixel(a, row + 1, i, c) << 16;
            }
}

/* Of a pixel in row `row` of the staged ones, in the column at `words`. */
static int32_t staged(const uint32_t *words, uint32_t row) {
    return (int16_t)(uint16_t)(words[row / 2] >> 16 * (row & 1));
}

/* Bytes of the constants that are taps of kernel row ky and column kx, by stride. */
static int32_t tap(const uint32_t *constants, uint32_t stride, uint32_t ky, uint32_t kx) {
    static const uint8_t by_1[3][3] = {{0, 4, 8}, {1, 5, 9}, {3, 7, 11}};
    static const uint8_t by_2[3][3] = {{0, 1, 4}, {2, 3, 6}, {5, 7, 8}};
    const uint32_t byte = stride == 1 ? by_1[ky][kx] : by_2[ky][kx];
    return (int8_t)(uint8_t)(constants[byte / 4] >> 8 * (byte & 3));
}

static int32_t sum_of(const te_depthwise_quad_args *a, const uint32_t *constants, uint32_t stride,
                      uint32_t row, uint32_t column, uint32_t channel) {
    int32_t sum = 0;
    for (uint32_t ky = 0; ky < 3; ky++)
        for (uint32_t kx = 0; kx < 3; kx++) {
            const uint32_t *words = a->staged + (stride * column + kx) * STEP + channel * CHANNEL;
            sum += staged(words, stride * row + ky) * tap(constants, stride, ky, kx);
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
    const uint32_t columns =
        a->blocks * (stride == 1 ? TE_DEPTHWISE_BLOCK : TE_DEPTHWISE_BLOCK_BY_2) + a->rest;
    for (uint32_t c = 0; c < 4; c++) {
        const uint32_t *k = a->constants + c * (exact ? 6 : 5);
        for (uint32_t r = 0; r < a->rows; r++)
            for (uint32_t i = 0; i < columns; i++) {
                const int32_t sum = sum_of(a, k, stride, r, i, c);
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
