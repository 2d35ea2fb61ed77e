/* LSTM: unit by unit, the four gates of a unit at once. Sigmoid and tanh are gemmlowp's of 16 bits. */
#include "tinyengine/te_lstm.h"

#include "../support/te_four_sums.h"
#include "../support/te_requant_fixed.h"

#define GATE_BITS 3 /* integer bits of what a gate's sigmoid or tanh is taken of */
#define ONE 32767

/* Both int16. */
static inline int32_t mul(int32_t a, int32_t b) {
    return te_smlabb((uint32_t)a, (uint32_t)b, 1 << 14) >> 15;
}

/* exp(a) with 15 fraction bits, -32767 <= a < 0 with `bits` integer bits: a polynomial on [-1/4, 0), then powers of
 * e. */
TE_INLINE int32_t exp_of_negative(int32_t a, int32_t bits) {
    const int32_t fraction = 15 - bits, quarter = 1 << (fraction - 2);
    const int32_t rest = (a & (quarter - 1)) - quarter, whole = rest - a;
    const int32_t x = rest * (1 << bits) + (1 << 12), square = mul(x, x);
    const int32_t fourth = (mul(square, square) + 2) >> 2;
    const int32_t series = (mul(fourth + mul(square, x), 10923) + square + 1) >> 1;
    int32_t y = 28918 + mul(x + series, 28918);
    if (whole & quarter) y = mul(y, 25520);
    if (whole & quarter << 1) y = mul(y, 19875);
    if (bits > 0 && whole & quarter << 2) y = mul(y, 12055);
    if (bits > 1 && whole & quarter << 3) y = mul(y, 4435);
    if (bits > 2 && whole & quarter << 4) y = mul(y, 600);
    if (bits > 3 && whole & quarter << 5) y = mul(y, 11);
    if (bits > 4 && whole & quarter << 6) y = 0;
    return bits > 5 && a < -(1 << (20 - bits)) ? 0 : y;
}

/* 2 / (1 + e) with 13 fraction bits, 0 <= e < 1 with 15: Newton's method. */
static inline int32_t two_over_one_plus(int32_t e) {
    const int32_t half = (e + ONE + 1) >> 1;
    int32_t guess = 23130 + mul(half, -15420);
    guess += mul(guess, (1 << 13) - mul(half, guess)) * 4;
    guess += mul(guess, (1 << 13) - mul(half, guess)) * 4;
    return guess + mul(guess, (1 << 13) - mul(half, guess)) * 4;
}

static inline int32_t at_most_one(int32_t x) {
    return x > ONE ? ONE : x;
}

/* Both with 15 fraction bits, of int16. */
static inline int32_t sigmoid(int32_t a) {
    if (a == 0) return 1 << 14;
    const int32_t y = at_most_one(two_over_one_plus(exp_of_negative(a > 0 ? -a : a, GATE_BITS)) * 2);
    return a > 0 ? y : ONE - y;
}

static inline int32_t hyperbolic_tangent(int32_t a, int32_t bits) {
    if (a == 0) return 0;
    const int32_t y =
        at_most_one((two_over_one_plus(exp_of_negative(a > 0 ? -a : a, bits + 1)) - (1 << 13)) * 4);
    return a > 0 ? y : -y;
}

static inline int32_t scale(int32_t x, const te_factor *f, uint32_t narrow) {
    return narrow ? te_scale_narrow(x, f) : te_scale(x, f->multiplier, f->shift);
}

/* Sum of the input's part and the hidden state's, each rounded for itself. */
static inline int32_t gate(const te_lstm_params *p, uint32_t i, const int32_t *input,
                           const int32_t *recurrent) {
    const int32_t part = te_saturate16(scale(input[i], p->input + i, !p->rows));
    return te_saturate16(part + scale(recurrent[i], p->recurrent + i, !p->rows));
}

/* The next value of a cell from its gates. */
static inline int32_t next_cell(const te_lstm_params *p, int32_t added, int32_t kept, int32_t change,
                                int32_t cell) {
    const int32_t old = kept * cell, added_change = added * change, shift = 15 + p->cell_bits;
    int32_t c = (old + (old >> 31) + (1 << 14)) >> 15;
    c += (added_change + (added_change >> 31) + (1 << (shift - 1))) >> shift;
    c = te_saturate16(c);
    return p->clip ? te_clamp(c, -p->clip, p->clip) : c;
}

/* One unit in one step: its cell and its hidden state. */
static inline int8_t unit(const te_lstm_params *p, const int32_t *input, const int32_t *recurrent,
                          int16_t *cell) {
    const int32_t added = sigmoid(gate(p, 0, input, recurrent));
    const int32_t kept = sigmoid(gate(p, 1, input, recurrent));
    const int32_t change = hyperbolic_tangent(gate(p, 2, input, recurrent), GATE_BITS);
    const int32_t shown = sigmoid(gate(p, 3, input, recurrent));
    const int32_t c = next_cell(p, added, kept, change, *cell);
    *cell = (int16_t)c;
    const int32_t product = shown * hyperbolic_tangent(c, p->cell_bits);
    const int32_t h = te_scale(product, p->hidden.multiplier, p->hidden.shift);
    return (int8_t)te_clamp(te_wrap_add(h, p->zero), -128, 127);
}

static inline const uint32_t *sums_of(const te_lstm_params *p, const uint32_t *w, const uint32_t *x,
                                      uint32_t groups, const uint32_t *bias, int32_t *sums) {
    return p->rows ? te_four_rows(w, x, groups, bias, sums) : te_four_sums(w, x, groups, bias, sums);
}

void te_lstm_s8(const te_lstm_params *p, const int8_t *x, const int8_t *hidden, const int16_t *cell,
                int8_t *y, int8_t *hidden_next, int16_t *cell_next, void *scratch) {
    const uint32_t in_groups = (p->in + 3) / 4, groups = (p->units + 3) / 4;
    uint32_t *const now = scratch, *const before = now + 2 * in_groups;
    if (cell_next != cell) memcpy(cell_next, cell, p->units * sizeof *cell);
    te_widen(hidden, p->units, before);
    for (uint32_t step = 0; step < p->steps; step++, x += p->in) {
        const uint32_t *w = p->weights;
        te_widen(x, p->in, now);
        for (uint32_t u = 0; u < p->units; u++) {
            int32_t input[4], recurrent[4];
            const uint32_t *const bias = w;
            w = sums_of(p, w + 8, now, in_groups, bias, input);
            w = sums_of(p, w, before, groups, bias + 4, recurrent);
            *y++ = unit(p, input, recurrent, cell_next + u);
        }
        te_widen(y - p->units, p->units, before);
    }
    memcpy(hidden_next, y - p->units, p->units);
}

/* 2 / (1 + exp(-v / 4096)). */
static inline int32_t at(const uint32_t *curves, uint32_t v) {
    const uint32_t *const c = curves + v / 32 * 4;
    const uint32_t i = v % 32, line = c[3];
    uint16_t bits;
    memcpy(&bits, (const uint8_t *)c + 3 * i / 8, sizeof bits);
    return (int32_t)(((line + i * (line & 0xffff)) >> 16) + ((uint32_t)bits >> (3 * i & 7) & 7u));
}

/* sigmoid(-a) = 1 - sigmoid(a): of 15 bits all are the other ones. */
static inline int32_t table_sigmoid(const uint32_t *curves, int32_t a) {
    const int32_t sign = a >> 31;
    return ((at(curves, (uint32_t)((a ^ sign) - sign)) * 2) ^ sign) & ONE;
}

#define ALL_ONE (11 << 12) /* 2 sigmoid - 1 is one from here on */

/* tanh(a) = 2 sigmoid(2 a) - 1. */
static inline int32_t table_tanh(const uint32_t *curves, int32_t a, int32_t bits) {
    const int32_t sign = a >> 31;
    const uint32_t v = (uint32_t)((a ^ sign) - sign) << (bits & 7) >> 2;
    int32_t y = ONE;
    if (bits < 2 || (v > 1 << 15 && v < ALL_ONE)) return hyperbolic_tangent(a, bits);
    if (v < ALL_ONE) y = (at(curves, v) - (1 << 13)) * 4;
    return (y ^ sign) - sign;
}

static inline int32_t down(int32_t x, const te_down *f) {
    return te_smmlar((int32_t)((uint32_t)x << f->l), f->m, f->c + ((x >> 31) & f->s)) >> f->e;
}

static inline int32_t fast_gate(const te_lstm_fast_params *p, uint32_t i, const int32_t *input,
                                const int32_t *recurrent) {
    return te_saturate16(te_saturate16(down(input[i], p->input + i)) + down(recurrent[i], p->state + i));
}

/* As unit. */
static inline int8_t fast_unit(const te_lstm_fast_params *p, const int32_t *input, const int32_t *recurrent,
                               int16_t *cell) {
    const uint32_t *const curves = p->curves;
    const int32_t added = table_sigmoid(curves, fast_gate(p, 0, input, recurrent));
    const int32_t kept = table_sigmoid(curves, fast_gate(p, 1, input, recurrent));
    const int32_t change = table_tanh(curves, fast_gate(p, 2, input, recurrent), GATE_BITS);
    const int32_t shown = table_sigmoid(curves, fast_gate(p, 3, input, recurrent));
    const int32_t c = next_cell(&p->lstm, added, kept, change, *cell);
    *cell = (int16_t)c;
    const int32_t product = shown * table_tanh(curves, c, p->lstm.cell_bits);
    return (int8_t)te_saturate8(down(product, &p->hidden) + p->lstm.zero);
}

/* Two inputs, whose words take turns. */
static void widen_two(const int8_t *x0, const int8_t *x1, uint32_t count, uint32_t *to) {
    uint32_t word[2];
    for (; count >= 4; count -= 4, x0 += 4, x1 += 4, to += 4) {
        word[0] = te_load_word(x0), word[1] = te_load_word(x1);
        to[0] = te_widen_even(word[0]), to[1] = te_widen_even(word[1]);
        to[2] = te_widen_odd(word[0]), to[3] = te_widen_odd(word[1]);
    }
    if (!count) return;
    word[0] = word[1] = 0;
    memcpy(word, x0, count);
    memcpy(word + 1, x1, count);
    to[0] = te_widen_even(word[0]), to[1] = te_widen_even(word[1]);
    to[2] = te_widen_odd(word[0]), to[3] = te_widen_odd(word[1]);
}

void te_lstm_fast_s8(const te_lstm_fast_params *p, const int8_t *x, const int8_t *hidden, const int16_t *cell,
                     int8_t *y, int8_t *hidden_next, int16_t *cell_next, void *scratch) {
    const te_lstm_params *const lstm = &p->lstm;
    const uint32_t in = lstm->in, units = lstm->units, in_groups = (in + 3) / 4, groups = (units + 3) / 4;
    uint32_t *const now = scratch, *const before = now + 4 * in_groups;
    int32_t *const inputs = (int32_t *)(before + 2 * groups), *const recurrent = inputs + 8 * units;
    const te_dense_args of_input = {now, lstm->weights, inputs, units, in_groups};
    const te_dense_args of_hidden = {before, p->recurrent, recurrent, units, groups};
    if (cell_next != cell) memcpy(cell_next, cell, units * sizeof *cell);
    te_widen(hidden, units, before);
    for (uint32_t step = 0; step < lstm->steps; step += 2, x += 2 * in) {
        const uint32_t count = lstm->steps - step < 2 ? 1 : 2;
        if (count == 2) {
            widen_two(x, x + in, in, now);
            te_dense_sums_twice(&of_input);
        } else {
            te_widen(x, in, now);
            te_dense_sums_pairs(&of_input);
        }
        for (uint32_t i = 0; i < count; i++) {
            const int32_t *sums = inputs + 4 * i;
            te_dense_sums_pairs(&of_hidden);
            for (uint32_t u = 0; u < units; u++, sums += 4 * count)
                *y++ = fast_unit(p, sums, recurrent + 4 * u, cell_next + u);
            te_widen(y - units, units, before);
        }
    }
    memcpy(hidden_next, y - units, units);
}
