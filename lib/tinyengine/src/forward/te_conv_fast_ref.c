/* Portable twins of te_conv_fast_dsp.S. */
#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_layers_s16.h"

#include "../support/te_requant_fixed.h"

#include <string.h>

#if !TE_DSP

/* Halves of the word pair (p0, p1) that starts at `word`: value k of pixel p. */
static void put(uint32_t *word, uint32_t half, int32_t p0, int32_t p1) {
    int16_t *h = (int16_t *)word;
    h[half] = (int16_t)p0;
    h[2 + half] = (int16_t)p1;
}

static void gather(const te_conv_gather_args *a, int32_t factor) {
    uint32_t *column = a->columns;
    for (uint32_t pair = 0; pair < a->pairs; pair++, column += 4 * a->groups + 2) {
        uint32_t *word = column, *tail = column + 4 * a->n_runs * a->run_groups;
        uint32_t t = 0;
        for (uint32_t r = 0; r < a->n_runs; r++) {
            te_conv_run *run = &a->runs[r];
            const int8_t *p0 = a->base + run->p0, *p1 = a->base + run->p1;
            for (uint32_t g = 0; g < a->run_groups; g++, word += 4, p0 += 4, p1 += 4)
                for (uint32_t k = 0; k < 4; k++)
                    put(word + 2 * (k & 1), k >> 1, factor * p0[k], factor * p1[k]);
            for (uint32_t k = 0; k < a->run_tail; k++, t++)
                put(tail + 2 * (t >> 1), t & 1, factor * p0[k], factor * p1[k]);
            run->p0 += run->step;
            run->p1 += run->step;
        }
        for (; t & 3; t++) put(tail + 2 * (t >> 1), t & 1, 0, 0); /* meets zero weights */
    }
}

#define GATHER(name, factor)                                                                                 \
    void name(const te_conv_gather_args *args) {                                                             \
        gather(args, factor);                                                                                \
    }
GATHER(te_conv_gather, 1)
GATHER(te_conv_gather_pixels, 1)
GATHER(te_conv_gather_rgb_by_2, 1)
GATHER(te_conv_gather_doubled, 2)
GATHER(te_conv_gather_pixels_doubled, 2)
GATHER(te_conv_gather_rgb_by_2_doubled, 2)

typedef int32_t round_fn(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero);

static int32_t exact(int32_t doubled, uint32_t channel, const int32_t *round, int32_t zero) {
    const int32_t e = 1 + (round[2] >> 8 * channel & 0xff);
    const int32_t c = (int32_t)((uint32_t)(2 * zero + 1) << (e - 1));
    return te_round_exact(doubled, round[channel], c, e);
}

static int32_t round_exact(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    return exact(2 * acc, channel, round, zero);
}

static int32_t round_exact_doubled(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    return exact(acc, channel, round, zero);
}

static int32_t round_wide(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    const int32_t *r = round + 5 * channel;
    (void)zero;
    return te_round_wide(acc, r[0], r[1], r[2], r[3], r[4]);
}

static int32_t round_fast(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    return te_round_fast(acc, round[channel], zero);
}

/* Weight k (in the order of the columns' bytes) of channel 0 or 1 of the pair. */
static int32_t dot(const uint32_t *columns, uint32_t pixel, const uint32_t *pair, uint32_t channel,
                   uint32_t groups) {
    const int16_t *x = (const int16_t *)(columns + pixel);
    const int8_t *w = (const int8_t *)(pair + 2 + channel);
    int32_t acc = (int32_t)pair[channel];
    for (uint32_t g = 0; g < groups; g++, x += 8, w += 8)
        acc += x[0] * w[0] + x[1] * w[2] + x[4] * w[1] + x[5] * w[3];
    return acc;
}

static void tiles(const te_conv_tiles_args *a, uint32_t round_words, round_fn *round) {
    const uint32_t *w = a->weights;
    const uint32_t pixels = 2 * a->pairs + a->odd, words = 2 + 2 * a->groups;
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels; /* last whole pair */
    for (uint32_t c = 0; c < a->channels; c += 2, w += words + round_words) {
        const uint32_t base = c + 1 < a->channels || !c ? c : c - 1;
        const int32_t *constants = (const int32_t *)(w + words);
        for (uint32_t i = 0; i < pixels; i++) {
            const uint32_t *column = a->columns + (i >> 1) * (4 * a->groups + 2);
            int8_t *out = last + (int32_t)column[4 * a->groups + (i & 1)];
            for (uint32_t j = 0; j < 2 && base + j < a->channels; j++)
                out[base + j] = (int8_t)round(dot(column, i & 1, w, j, a->groups), j, constants, a->zero);
        }
    }
}

#define TILES(name, round_words, round)                                                                      \
    void name(const te_conv_tiles_args *args) {                                                              \
        tiles(args, round_words, round);                                                                     \
    }
TILES(te_conv_tiles_exact, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_exact_doubled, TE_CONV_ROUND_EXACT, round_exact_doubled)
TILES(te_conv_tiles_fast, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_wide, TE_CONV_ROUND_WIDE, round_wide)
TILES(te_conv_tiles_small_exact, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_small_fast, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_small_wide, TE_CONV_ROUND_WIDE, round_wide)

/* int16: channels are counted in bytes. */
void te_conv_tiles_short(const te_conv_tiles_args *a) {
    const uint32_t *w = a->weights;
    const uint32_t pixels = 2 * a->pairs + a->odd, words = 2 + 2 * a->groups, channels = a->channels / 2;
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels;
    for (uint32_t c = 0; c < channels; c += 2, w += words + TE_CONV_ROUND_EXACT) {
        const uint32_t base = c + 1 < channels ? c : c - 1;
        const int32_t *r = (const int32_t *)(w + words);
        for (uint32_t i = 0; i < pixels; i++) {
            const uint32_t *column = a->columns + (i >> 1) * (4 * a->groups + 2);
            int8_t *out = last + (int32_t)column[4 * a->groups + (i & 1)];
            for (uint32_t j = 0; j < 2; j++) {
                const int32_t e = 1 + (r[2] >> 8 * j & 0xff), acc = dot(column, i & 1, w, j, a->groups);
                const int32_t high = (int32_t)(((int64_t)acc * r[j] + (INT64_C(1) << (e + 31))) >> 32) >> e;
                const int16_t y = (int16_t)(high < INT16_MIN   ? INT16_MIN
                                            : high > INT16_MAX ? INT16_MAX
                                                               : high);
                memcpy(out + 2 * (base + j), &y, sizeof y);
            }
        }
    }
}

static int32_t narrow_dot(const int8_t *x, const int16_t *w, int32_t bias, int32_t factor) {
    for (uint32_t k = 0; k < 8; k++) bias += factor * x[(k & 4) + ((k & 1) << 1) + (k >> 1 & 1)] * w[k];
    return bias;
}

static void narrow(const te_conv_tiles_args *a, uint32_t words, int32_t factor) {
    const uint32_t *x = a->columns;
    int8_t *y = a->out;
    for (uint32_t i = 0; i < a->pairs; i++, x += 2) {
        const uint32_t pixel[2] = {x[0], x[1]}; /* y may overwrite it */
        for (uint32_t c = 0; c < a->channels; c++) {
            const int32_t *w = (const int32_t *)(a->weights + words * c);
            const int32_t acc = narrow_dot((const int8_t *)pixel, (const int16_t *)(w + 1), w[0], factor);
            *y++ = (int8_t)(words == TE_CONV_NARROW_FAST ? te_round_fast(acc, w[5], w[6])
                                                         : te_round_exact(acc, w[5], w[6], w[7]));
        }
    }
}

void te_conv_narrow_fast(const te_conv_tiles_args *args) {
    narrow(args, TE_CONV_NARROW_FAST, 1);
}
void te_conv_narrow_exact(const te_conv_tiles_args *args) {
    narrow(args, TE_CONV_NARROW_EXACT, 2);
}

#endif
