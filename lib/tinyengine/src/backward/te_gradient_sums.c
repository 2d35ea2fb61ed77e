/* Portable twins of te_gradient_sums_dsp.S. */
#include "tinyengine/te_gradient_sums.h"

#if !TE_DSP

#include "../support/te_block_float.h"
#include "../support/te_pairs.h"

/* Sums of one pixel, whose words of gradients are `step` apart. */
static void tile_pixel(const te_gradient_tile_args *a, const int16_t *g, uint32_t step, int32_t *sums) {
    for (uint32_t c = 0; c < 4; c++) {
        const uint32_t *w = a->weights + c;
        sums[c] = 0;
        for (uint32_t k = 0; k < 4 * a->groups; k++, w += 4)
            sums[c] = te_smlad(te_load_word(g + 2 * step * k), *w, sums[c]);
    }
}

void te_gradient_tile(const te_gradient_tile_args *a) {
    const int16_t *g = a->g;
    int32_t *sums = a->sums;
    for (uint32_t i = 0; i < a->pixels; i++, sums += a->sums_pitch / 4)
        tile_pixel(a, g + i / 2 * 16 * a->groups + 2 * (i & 1), i + 1 < a->pixels || i & 1 ? 2 : 1, sums);
}

void te_depthwise_taps(const te_gradient_tap *taps, uint32_t count, int32_t *sums, uint32_t quads) {
    for (uint32_t c = 0; c < 4 * quads; c++) {
        sums[c] = 0;
        for (uint32_t t = 0; t < count; t++) sums[c] += taps[t].g[c] * taps[t].w[c];
    }
}

void te_widen_rows(const int8_t *from, uint32_t second, uint32_t pair, uint32_t groups, uint32_t *to) {
    for (; groups > 0; groups--, to += 16)
        for (uint32_t k = 0; k < 4; k++, from += pair) {
            const uint32_t a = te_load_word(from), b = te_load_word(from + second);
            to[4 * k] = te_pack_low(te_widen_even(a), te_widen_even(b));
            to[4 * k + 1] = te_pack_low(te_widen_odd(a), te_widen_odd(b));
            to[4 * k + 2] = te_pack_high(te_widen_even(a), te_widen_even(b));
            to[4 * k + 3] = te_pack_high(te_widen_odd(a), te_widen_odd(b));
        }
}

/* Words of channels k and k + 2 from those of two outputs, 256 * w1 + w0 each. */
static void take_apart(uint32_t both, uint32_t *to) {
    for (uint32_t k = 0; k < 2; k++, both >>= 16) {
        const int32_t half = (int16_t)(uint16_t)both, first = (int8_t)(uint8_t)both;
        to[2 * k] = te_pack_low((uint32_t)first, (uint32_t)((half - first) / 256));
    }
}

void te_widen_fours(const uint32_t *from, uint32_t pitch, uint32_t groups, uint32_t *to) {
    for (uint32_t i = 0; i < 2 * groups; i++, from += pitch / 4, to += 8)
        for (uint32_t k = 0; k < 4; k++) take_apart(from[k], to + 4 * (k & 1) + (k >> 1));
}

void te_correlate_4(const int8_t *x, const uint32_t *columns, uint32_t groups, int32_t *sums) {
    memset(sums, 0, 4 * sizeof *sums);
    for (uint32_t i = 0; i < groups; i++, x += 4) {
        const uint32_t word = te_load_word(x), even = te_widen_even(word), odd = te_widen_odd(word);
        for (uint32_t k = 0; k < 4; k++, columns += 2)
            sums[k] = te_smlad(odd, columns[1], te_smlad(even, columns[0], sums[k]));
    }
}

uint32_t te_magnitude_4(const int32_t *sums, uint32_t quads) {
    uint32_t magnitude = 0;
    for (uint32_t c = 0; c < 4 * quads; c++) magnitude |= te_magnitude(sums[c]);
    return magnitude;
}

void te_round_4(const int32_t *sums, int16_t *out, uint32_t quads, int32_t shift) {
    const int32_t half = (int32_t)(1u << (shift - 1));
    for (uint32_t c = 0; c < 4 * quads; c++) out[c] = (int16_t)te_saturate16((sums[c] + half) >> shift);
}

void te_scale_16(int16_t *g, const int16_t *factor, const uint8_t *mask, uint32_t units, int32_t shift) {
    const int32_t half = (int32_t)(1u << (shift - 1));
    for (uint32_t i = 0; i < 16 * units; i++) {
        const int32_t m = !mask || mask[i >> 3] >> (i & 7) & 1 ? g[i] : 0;
        g[i] = (int16_t)((m * factor[i] + half) >> shift);
    }
}

#endif
