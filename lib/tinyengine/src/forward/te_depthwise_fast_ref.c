/* Portable twins of te_depthwise_fast_dsp.S: the same words, the same fields. */
#include "tinyengine/te_depthwise_fast.h"

#include "../support/te_requant_fixed.h"

#if !TE_DSP

#define FIELD 21

static uint32_t pack(int32_t low, int32_t high) {
    return (uint32_t)low + ((uint32_t)high << FIELD);
}

/* Pixel i of the row that begins `before` pixels before the picture. */
static int32_t pixel(const te_depthwise_gather_args *a, uint32_t i, uint32_t before) {
    return i < before || i - before >= a->width ? a->zero : a->x[(int32_t)(i - before) * a->pitch];
}

/* Whole units of 6 pixels from word `phase` on; the last is filled up with padding. */
static void gather(const te_depthwise_gather_args *a, uint32_t phase) {
    for (uint32_t i = 0, word = phase; i < (a->width + 5) / 6 * 6; i += 2, word++)
        a->words[word / 3 * (a->unit / 4) + word % 3] = pack(pixel(a, i, 0), pixel(a, i + 1, 0));
}

void te_depthwise_gather_0(const te_depthwise_gather_args *args) {
    gather(args, 0);
}
void te_depthwise_gather_1(const te_depthwise_gather_args *args) {
    gather(args, 1);
}
void te_depthwise_gather_2(const te_depthwise_gather_args *args) {
    gather(args, 2);
}

void te_depthwise_gather_by_2(const te_depthwise_gather_args *a) {
    uint32_t *word = a->words;
    for (uint32_t i = 0; i < a->width + a->padding; i += 4, word += a->unit / 4)
        for (uint32_t odd = 0; odd < 2; odd++)
            word[odd] = pack(pixel(a, i + odd, a->padding), pixel(a, i + odd + 2, a->padding));
}

/* Words of a row: `even` taps on word 0 of stride-2 units, `odd` on word 1; stride 1 has only even ones, on
 * all words. */
typedef struct shape {
    uint32_t kernel, stride, even, odd;
} shape;

static int64_t accumulate(const te_depthwise_row_args *a, const shape *k, uint32_t q) {
    const uint32_t words = k->even + k->odd, per_unit = k->stride == 1 ? 3 : 1, unit = k->stride == 1 ? 3 : 2;
    int64_t sum = (int64_t)((uint64_t)a->start[1] << 32 | a->start[0]);
    for (uint32_t row = 0; row < k->kernel; row++)
        for (uint32_t m = 0; m < words; m++) {
            const uint32_t odd = m >= k->even, i = q + (odd ? m - k->even : m);
            const uint32_t *at = a->pixels + (i / per_unit * k->kernel + row) * unit + i % per_unit + odd;
            sum += (int64_t)(int32_t)*at * (int32_t)a->taps[row * words + m];
        }
    return sum;
}

static void row(const te_depthwise_row_args *a, const shape *k) {
    const int32_t mask = (1 << FIELD) - 1;
    int64_t sum = accumulate(a, k, 0);
    for (uint32_t i = 0; i < a->outputs; i++) {
        int32_t doubled = (int32_t)(sum >> FIELD & mask) - (1 << (FIELD - 1));
        if (i & 1) {
            const int64_t next = accumulate(a, k, i / 2 + 1);
            doubled = (int32_t)(sum >> 2 * FIELD) + (int32_t)(next & mask);
            sum = next;
        }
        a->y[(int32_t)i * a->pitch] = (int8_t)te_round_exact(doubled, a->m, a->c, a->e);
    }
}

#define ROW(name, kernel, stride, even, odd)                                                                 \
    void name(const te_depthwise_row_args *args) {                                                           \
        const shape k = {kernel, stride, even, odd};                                                         \
        row(args, &k);                                                                                       \
    }
ROW(te_depthwise_row_3, 3, 1, 2, 0)
ROW(te_depthwise_row_5, 5, 1, 3, 0)
ROW(te_depthwise_row_7, 7, 1, 4, 0)
ROW(te_depthwise_row_3_by_2, 3, 2, 1, 1)
ROW(te_depthwise_row_5_by_2, 5, 2, 2, 1)
ROW(te_depthwise_row_7_by_2, 7, 2, 2, 2)

void te_depthwise_taps(const int8_t *packed, uint32_t kernel, uint32_t words, uint32_t *taps) {
    for (uint32_t i = 0; i < kernel * words; i++) taps[i] = pack(2 * packed[2 * i], 2 * packed[2 * i + 1]);
    for (uint32_t i = 0; i < (kernel - 1) * words; i++) taps[kernel * words + i] = taps[i];
}

#else
typedef int te_depthwise_fast_ref_is_empty; /* ISO C wants a declaration */
#endif
