/* SVDF: the filters four at a time, then their last results weighted over time. */
#include "tinyengine/te_svdf.h"
#include "tinyengine/te_copy_words.h"

#include "../support/te_four_sums.h"

/* sums[i]: of filter i over the rows of the state, for four filters. */
static void over_time_s16(const te_svdf_params *p, const int16_t *state, const int16_t *w, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t row = 0; row < p->memory; row++, state += p->filters, w += 4) {
        const uint32_t s0 = te_load_word(state), s1 = te_load_word(state + 2);
        const uint32_t w0 = te_load_word(w), w1 = te_load_word(w + 2);
        a = te_smlabb(s0, w0, a);
        b = te_smlatt(s0, w0, b);
        c = te_smlabb(s1, w1, c);
        d = te_smlatt(s1, w1, d);
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

static void over_time_s8(const te_svdf_params *p, const int8_t *state, const int8_t *w, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t row = 0; row < p->memory; row++, state += p->filters, w += 4) {
        const uint32_t s = te_load_word(state), v = te_load_word(w);
        const uint32_t s_even = te_widen_even(s), s_odd = te_widen_odd(s);
        const uint32_t w_even = te_widen_even(v), w_odd = te_widen_odd(v);
        a = te_smlabb(s_even, w_even, a);
        b = te_smlabb(s_odd, w_odd, b);
        c = te_smlatt(s_even, w_even, c);
        d = te_smlatt(s_odd, w_odd, d);
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* A row of the state per row, the newest last; `bytes` of one. */
static void shift(const te_svdf_params *p, const void *state, void *next, uint32_t bytes) {
    const uint8_t *const from = (const uint8_t *)state + bytes;
    if (bytes % 4 == 0)
        te_copy_words(next, from, bytes / 4 * (p->memory - 1));
    else
        memmove(next, from, bytes * (p->memory - 1));
}

/* Sums of all filters. */
static void filter(const te_svdf_params *p, const uint32_t *x, int32_t *sums) {
    const uint32_t groups = (p->in + 3) / 4, quads = (p->filters + 3) / 4;
    const uint32_t *w = p->weights;
    if (p->sums) {
        const te_dense_args args = {x, w, sums, quads, groups};
        p->sums(&args);
        return;
    }
    for (uint32_t q = 0; q < quads; q++, sums += 4)
        w = p->rows ? te_four_rows(w + 4, x, groups, w, sums) : te_four_sums(w + 4, x, groups, w, sums);
}

/* te_scale of each, without its branch; with the zero point, and clamped to -most - 1 .. most. */
static void scale_all(int32_t *values, uint32_t count, te_factor by, int32_t zero, int32_t most) {
    const int32_t up = by.shift > 0 ? by.shift : 0, down = up - by.shift;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t x = te_high_mul((int32_t)((uint32_t)values[i] << up), by.multiplier);
        values[i] = te_clamp(te_wrap_add(te_round_shift(x, down), zero), -most - 1, most);
    }
}

static void finish(const te_svdf_params *p, int32_t *sums, int8_t *y) {
    const uint32_t rank = p->rank, units = p->filters / rank;
    const int32_t *from = sums;
    for (uint32_t unit = 0; unit < units; unit++) {
        int32_t sum = p->bias[unit];
        for (uint32_t i = 0; i < rank; i++) sum = te_wrap_add(sum, *from++);
        sums[unit] = sum;
    }
    scale_all(sums, units, p->to_output, p->zero, INT8_MAX);
    for (uint32_t unit = 0; unit < units; unit++) y[unit] = (int8_t)sums[unit];
}

#define SVDF(bits)                                                                                           \
    static void svdf_s##bits(const te_svdf_params *p, const int8_t *x, const int##bits##_t *state,           \
                             int8_t *y, int##bits##_t *state_next, void *scratch) {                          \
        const uint32_t filters = p->filters;                                                                 \
        uint32_t *const wide = scratch;                                                                      \
        int32_t *const sums = (int32_t *)wide + 2 * ((p->in + 3) / 4);                                       \
        int##bits##_t *const newest = state_next + (p->memory - 1) * filters;                                \
        const int##bits##_t *over_time = p->over_time;                                                       \
        te_widen(x, p->in, wide);                                                                            \
        shift(p, state, state_next, filters *(uint32_t)sizeof *state);                                       \
        filter(p, wide, sums);                                                                               \
        scale_all(sums, filters, p->to_state, p->state_zero, INT##bits##_MAX);                               \
        for (uint32_t f = 0; f < filters; f++) newest[f] = (int##bits##_t)sums[f];                           \
        uint32_t f = 0;                                                                                      \
        for (; f + 4 <= filters; f += 4, over_time += 4 * p->memory)                                         \
            over_time_s##bits(p, state_next + f, over_time, sums + f);                                       \
        for (uint32_t i = 0; f + i < filters; i++) {                                                         \
            sums[f + i] = 0;                                                                                 \
            for (uint32_t row = 0; row < p->memory; row++) {                                                 \
                const int32_t product = state_next[row * filters + f + i] * over_time[4 * row + i];          \
                sums[f + i] = te_wrap_add(sums[f + i], product);                                             \
            }                                                                                                \
        }                                                                                                    \
        finish(p, sums, y);                                                                                  \
    }

SVDF(8)
SVDF(16)

void te_svdf_s8(const te_svdf_params *p, const int8_t *x, const int8_t *state, int8_t *y, int8_t *state_next,
                void *scratch) {
    svdf_s8(p, x, state, y, state_next, scratch);
}

void te_svdf_s16(const te_svdf_params *p, const int8_t *x, const int16_t *state, int8_t *y,
                 int16_t *state_next, void *scratch) {
    svdf_s16(p, x, state, y, state_next, scratch);
}
