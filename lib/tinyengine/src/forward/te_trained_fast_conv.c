/* Convolution with trained constants: the constants of two channels are put together, then te_conv_fast.h
 * computes these channels; or, where weights are not trained, those of four for te_conv_quads.h. */
#include "tinyengine/te_copy_words.h"
#include "tinyengine/te_trained_fast.h"

#include "../support/te_conv_fast_run.h"
#include "../support/te_pairs.h"

typedef te_conv_trained_fast_params params;

/* Sums of two channels' trained weights. */
typedef struct sums {
    int32_t of[2];
} sums;

static int32_t add_bytes(uint32_t bytes, int32_t sum) {
    const uint32_t ones = 0x00010001u;
    return te_smlad(te_widen_odd(bytes), ones, te_smlad(te_widen_even(bytes), ones, sum));
}

/* All weights of two channels, `second` behind the first, in whole words. */
static sums interleave(const int8_t *first, const int8_t *second, uint32_t words, uint32_t *to) {
    int32_t sum0 = 0, sum1 = 0;
    for (const uint32_t *end = to + 2 * words; to != end; first += 4, second += 4, to += 2) {
        uint32_t w0, w1;
        memcpy(&w0, __builtin_assume_aligned(first, 4), 4);
        memcpy(&w1, __builtin_assume_aligned(second, 4), 4);
        to[0] = w0;
        to[1] = w1;
        sum0 = add_bytes(w0, sum0);
        sum1 = add_bytes(w1, sum1);
    }
    const sums s = {{sum0, sum1}};
    return s;
}

/* The trained weights of one channel to their places. */
static int32_t scatter(const params *p, const int8_t *from, int8_t *to) {
    const uint16_t *place = p->places;
    int32_t sum = 0;
    for (const uint16_t *end = place + p->count; place != end;) {
        const int8_t w = *from++;
        to[*place++] = w;
        sum += w;
    }
    return sum;
}

/* Constants of the channels `channel` and the next one, in the order of te_conv_fast.h. */
static void put_together(const params *p, uint32_t pair, uint32_t channel, uint32_t *to) {
    const uint32_t groups = p->conv.groups, live = p->live ? p->live[pair] : 3;
    const int8_t *values = p->values + channel * p->count;
    sums s = {{0, 0}};
    if (p->whole) {
        const uint32_t *from = p->conv.weights + pair * (2 + p->round_words);
        to[0] = from[0];
        to[1] = from[1];
        for (uint32_t i = 0; i < p->round_words; i++) to[2 + 2 * groups + i] = from[2 + i];
        s = interleave(values, values + p->count, groups, to + 2);
        if (live != 3) /* zero weights */
            for (uint32_t c = 0; c < 2; c++)
                if (!(live & 1u << c))
                    for (uint32_t i = 0; i < groups; i++) to[2 + 2 * i + c] = 0;
    } else {
        const uint32_t words = 2 + 2 * groups + p->round_words;
        te_copy_words(to, p->conv.weights + pair * words, words);
        for (uint32_t c = 0; c < 2 && p->count; c++)
            if (live & 1u << c) s.of[c] = scatter(p, values + c * p->count, (int8_t *)(to + 2 + c));
    }
    for (uint32_t c = 0; c < 2; c++)
        if (live & 1u << c)
            to[c] += ((uint32_t)p->bias[channel + c] - (uint32_t)(p->conv.in_zero * s.of[c])) << p->doubled;
}

static void run_pairs(const te_conv_fast_params *conv, const te_conv_tiles_args *all, void *context) {
    const params *p = (const params *)(const void *)conv; /* its first member */
    const uint32_t channels = conv->out.c;
    te_conv_tiles_args two = *all;
    two.weights = context;
    two.channels = 2;
    /* Kernels find the last pair of pixels by the number of channels, and the others by their offsets. */
    int8_t *out = all->out + 2 * ((int32_t)all->pairs - 1) * ((int32_t)channels - 2);
    for (uint32_t c = 0, pair = 0; c < channels; c += 2, pair++) {
        const uint32_t first = c + 1 < channels ? c : c - 1;
        put_together(p, pair, first, context);
        two.out = out + first;
        conv->tiles(&two);
    }
}

/* Four channels of te_conv_quads.h: their biases are those of channels 0 and 2, in front, and, doubled, of 1 and 3, behind
 * the weights. */
static void run_fours(const te_conv_fast_params *conv, const te_conv_tiles_args *all, void *context) {
    const params *p = (const params *)(const void *)conv; /* its first member */
    const uint32_t channels = conv->out.c, behind = 2 + 4u * conv->groups,
                   words = behind + 2 + p->round_words;
    const uint32_t *from = conv->weights;
    uint32_t *to = context;
    te_conv_tiles_args four = *all;
    four.weights = context;
    four.channels = 4;
    int8_t *out = all->out + 2 * ((int32_t)all->pairs - 1) * ((int32_t)channels - 4); /* as in run_pairs */
    for (uint32_t c = 0; c < channels; c += 4, from += words) {
        const uint32_t first = c + 4 <= channels ? c : channels - 4, live = p->live ? p->live[c / 4] : 15;
        te_copy_words(to, from, words);
        for (uint32_t i = 0; i < 4; i++)
            if (live & 1u << i) to[(i & 1 ? behind : 0) + i / 2] += (uint32_t)p->bias[first + i] << (i & 1);
        four.out = out + first;
        conv->tiles(&four);
    }
}

void te_conv_trained_fast_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_conv_fast_params *conv = &p->conv;
    const te_row_view whole = {(int8_t *)(uintptr_t)x, (uint32_t)conv->in.w * conv->in.c,
                               conv->in.h}; /* only read */
    uint32_t *put = scratch;
    const uint32_t words = (p->fours ? 4 : 2) * (1u + conv->groups) + p->round_words;
    te_conv_fast_run_blocks(conv, &whole, y, put + words, p->fours ? run_fours : run_pairs, put);
}
