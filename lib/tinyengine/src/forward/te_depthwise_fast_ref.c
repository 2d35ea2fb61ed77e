/* Portable twins of te_depthwise_fast_dsp.S: the same words, the same fields. */
#include "tinyengine/te_depthwise_fast.h"

#include "../support/te_requant_fixed.h"

#if !TE_DSP

#define FIELD 21

static uint32_t pack(int32_t low, int32_t high) {
    return (uint32_t)low + ((uint32_t)high << FIELD);
}

/* Words of a kernel row: `even` ones meet word 0 of stride-2 units, `odd` word 1;
 * stride 1 has only even ones. */
typedef struct shape {
    uint32_t kernel, stride, even, odd, fast;
} shape;

/* One channel at work. */
typedef struct state {
    const te_depthwise_run_args *a;
    const shape *k;
    int32_t m, c, e;
    int64_t start;
    const uint32_t *taps;
} state;

/* Pixel i of a row that begins `before` pixels before the picture; x null: a row outside the picture. */
static int32_t pixel(const te_depthwise_run_args *a, const int8_t *x, uint32_t i, uint32_t before) {
    return !x || i < before || i - before >= a->width ? a->zero : x[(int32_t)(i - before) * a->pitch];
}

/* A row into its slot, filled up with padding. */
static void gather(const te_depthwise_run_args *a, const int8_t *x, uint32_t *slot) {
    const uint32_t before = 2 * a->phase, end = 6 * a->units;
    for (uint32_t i = 0, word = 0; i < end; i += 2, word++)
        slot[word / 3 * (a->unit / 4) + word % 3] = pack(pixel(a, x, i, before), pixel(a, x, i + 1, before));
}

static void gather_by_2(const te_depthwise_run_args *a, const int8_t *x, uint32_t *slot) {
    for (uint32_t u = 0; u < a->units; u++, slot += a->unit / 4)
        for (uint32_t odd = 0; odd < 2; odd++) {
            const uint32_t i = 4 * u + odd;
            slot[odd] = pack(pixel(a, x, i, a->phase), pixel(a, x, i + 2, a->phase));
        }
}

static void fetch(const state *s, int32_t row, uint32_t slot) {
    const te_depthwise_run_args *a = s->a;
    const int32_t from_x = row - (a->first > 0 ? a->first : 0);
    const int8_t *x =
        row < 0 || row >= a->height ? 0 : a->x + from_x * a->line - (row >= a->segment ? a->wrapped : 0);
    if (s->k->stride == 1)
        gather(a, x, a->words + 3 * slot);
    else
        gather_by_2(a, x, a->words + 2 * slot);
}

/* Accumulator q; `top` is the slot of the window's first row. */
static int64_t accumulate(const state *s, uint32_t top, uint32_t q) {
    const shape *k = s->k;
    const uint32_t words = k->even + k->odd, per_unit = k->stride == 1 ? 3 : 1, unit = k->stride == 1 ? 3 : 2;
    const uint32_t *taps = s->taps + (k->kernel - top) * words;
    int64_t sum = s->start;
    for (uint32_t slot = 0; slot < k->kernel; slot++)
        for (uint32_t m = 0; m < words; m++) {
            const uint32_t odd = m >= k->even, i = q + (odd ? m - k->even : m);
            const uint32_t *at = s->a->ring + (i / per_unit * k->kernel + slot) * unit + i % per_unit + odd;
            sum += (int64_t)(int32_t)*at * (int32_t)taps[slot * words + m];
        }
    return sum;
}

static void row(const state *s, uint32_t top, int8_t *y) {
    const int32_t mask = (1 << FIELD) - 1;
    int64_t sum = accumulate(s, top, 0);
    for (uint32_t i = 0; i < s->a->outputs; i++, y += s->a->pitch) {
        int32_t doubled = (int32_t)(sum >> FIELD & mask) - (1 << (FIELD - 1));
        if (i & 1) {
            const int64_t next = accumulate(s, top, i / 2 + 1);
            doubled = (int32_t)(sum >> 2 * FIELD) + (int32_t)(next & mask);
            sum = next;
        }
        *y = (int8_t)(s->k->fast ? te_round_fast(doubled, s->m, s->c)
                                 : te_round_exact(doubled, s->m, s->c, s->e));
    }
}

static void unpack(const te_depthwise_run_args *a, const int8_t *packed, uint32_t words) {
    for (uint32_t i = 0; i < words; i++)
        a->taps[i] = a->taps[i + words] = pack(2 * packed[2 * i], 2 * packed[2 * i + 1]);
}

static void run_channel(const state *s, int8_t *y) {
    const uint32_t kernel = s->k->kernel;
    uint32_t slot = 0, top = 0, missing = kernel;
    int32_t next = s->a->first;
    for (uint32_t r = 0; r < s->a->rows; r++, y += s->a->out_line) {
        for (; missing; missing--) {
            fetch(s, next++, slot);
            slot = (slot + 1) % kernel;
        }
        row(s, top, y);
        missing = s->a->stride;
        top = (top + missing) % kernel;
    }
}

static void run(const te_depthwise_run_args *args, const shape *k) {
    te_depthwise_run_args a = *args;
    const uint32_t words = k->kernel * (k->even + k->odd);
    const int64_t half = 1 << (FIELD - 1);
    for (uint32_t i = 0; i < a.channels; i++, a.x++, a.y++) {
        const int32_t *constants = a.constants + 4 * i;
        const int64_t doubled = 2 * (int64_t)constants[0];
        const int64_t start =
            half + (doubled + half) * (1 << FIELD) + (doubled - half) * (INT64_C(1) << 2 * FIELD);
        const state s = {&a, k, constants[1], constants[2], constants[3] & 0xff, start, a.taps};
        unpack(&a, a.packed + 2 * words * i, words);
        run_channel(&s, a.y);
    }
}

#define RUN(name, kernel, stride, even, odd, fast)                                                           \
    void name(const te_depthwise_run_args *args) {                                                           \
        const shape k = {kernel, stride, even, odd, fast};                                                   \
        run(args, &k);                                                                                       \
    }
RUN(te_depthwise_run_3, 3, 1, 2, 0, 0)
RUN(te_depthwise_run_5, 5, 1, 3, 0, 0)
RUN(te_depthwise_run_7, 7, 1, 4, 0, 0)
RUN(te_depthwise_run_3_by_2, 3, 2, 1, 1, 0)
RUN(te_depthwise_run_5_by_2, 5, 2, 2, 1, 0)
RUN(te_depthwise_run_7_by_2, 7, 2, 2, 2, 0)
RUN(te_depthwise_run_3_fast, 3, 1, 2, 0, 1)
RUN(te_depthwise_run_5_fast, 5, 1, 3, 0, 1)
RUN(te_depthwise_run_7_fast, 7, 1, 4, 0, 1)
RUN(te_depthwise_run_3_by_2_fast, 3, 2, 1, 1, 1)
RUN(te_depthwise_run_5_by_2_fast, 5, 2, 2, 1, 1)
RUN(te_depthwise_run_7_by_2_fast, 7, 2, 2, 2, 1)

#endif
