/* Pointwise convolutions backwards, on SMLAD. */
#include "tinyengine/te_backward.h"
#include "tinyengine/te_gradient_tile.h"

#include "../support/te_pairs.h"
#include "../support/te_pixel_sink.h"
#include "../support/te_update.h"
#include "../support/te_widen.h"

typedef te_layer_gradient_params params;

/* Input channels c .. c + 3 of all outputs, in the order of te_gradient_tile.h. */
static void widen(const params *p, uint32_t c, uint32_t *to) {
    const te_weight_rows *r = &p->rows;
    const int8_t *from = (const int8_t *)r->base + r->offset + c / 4 * r->quad;
    for (uint32_t group = 0; group < p->out.c / 8u; group++, to += 16)
        for (uint32_t k = 0; k < 4; k++, from += r->pair) {
            const uint32_t a = te_load_word(from), b = te_load_word(from + r->second);
            const uint32_t a02 = te_widen_even(a), b02 = te_widen_even(b);
            const uint32_t a13 = te_widen_odd(a), b13 = te_widen_odd(b);
            to[k] = te_pack_low(a02, b02);
            to[4 + k] = te_pack_low(a13, b13);
            to[8 + k] = te_pack_high(a02, b02);
            to[12 + k] = te_pack_high(a13, b13);
        }
}

/* Trained weights take their places among the widened ones; `j`: the first trained channel that is not below
 * c. Returns the first that is not below c + 4. */
static uint32_t put_trained(const params *p, uint32_t c, uint32_t j, uint32_t *wide) {
    const te_trained_weights *t = p->trained;
    for (; j < t->count && t->channels[j] < c + 4; j++) {
        const int8_t *from = t->values + j;
        uint32_t *to = wide + 4 * (t->channels[j] - c);
        for (uint32_t group = 0; group < p->out.c / 8u; group++, to += 16)
            for (uint32_t k = 0; k < 4; k++, from += 2u * t->count)
                to[k] = te_pack_low((uint32_t)(int32_t)from[0], (uint32_t)(int32_t)from[t->count]);
    }
    return j;
}

void te_pointwise_input_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *known,
                                 int8_t *y, void *scratch) {
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, channels = p->in.c, outputs = p->out.c;
    uint32_t *wide = scratch;
    int32_t *sums = (int32_t *)(void *)(wide + 2 * outputs);
    te_pixel_sink sink = te_sink_of(pixels, channels, known, y, sums);
    sink.own = (int16_t *)(void *)(sums + p->block * channels);
    for (uint32_t first = 0; first < pixels; first += p->block) {
        const uint32_t count = pixels - first < p->block ? pixels - first : p->block;
        te_gradient_tile_args args = {g + first * outputs, wide, sums, 4 * channels, count, outputs / 8};
        uint32_t j = 0;
        for (uint32_t c = 0; c < channels; c += 4, args.sums += 4) {
            widen(p, c, wide);
            if (p->trained && !p->rows.whole) j = put_trained(p, c, j, wide);
            te_gradient_tile(&args);
        }
        for (uint32_t i = 0; i < count; i++) {
            sink.sums = sums + i * channels; /* nobody needs them once they are normalized */
            te_sink_sums(&sink, first + i, sink.sums, te_magnitude_of(sink.sums, channels), exponent);
        }
    }
}

/* ---- gradient of the weights ---- */

/* Gradients of outputs o and o + 1 of all pixels, in groups of 4 pixels: (p0, p2), (p1, p3). */
static void columns(const params *p, const int16_t *g, uint32_t pixels, uint32_t *c0, uint32_t *c1,
                    int32_t total[2]) {
    const uint32_t pitch = p->out.c;
    total[0] = total[1] = 0;
    for (uint32_t i = 0; i < pixels; i += 4, g += 4 * pitch, c0 += 2, c1 += 2) {
        uint32_t at[4];
        for (uint32_t k = 0; k < 4; k++) at[k] = i + k < pixels ? te_load_pair(g + k * pitch) : 0;
        c0[0] = te_pack_low(at[0], at[2]);
        c0[1] = te_pack_low(at[1], at[3]);
        c1[0] = te_pack_high(at[0], at[2]);
        c1[1] = te_pack_high(at[1], at[3]);
        total[0] = te_smlad(c0[1], 0x00010001u, te_smlad(c0[0], 0x00010001u, total[0]));
        total[1] = te_smlad(c1[1], 0x00010001u, te_smlad(c1[0], 0x00010001u, total[1]));
    }
}

/* Sums of products of one saved channel with two columns. */
static void correlate(const int8_t *x, const uint32_t *c0, const uint32_t *c1, uint32_t groups,
                      int32_t sum[2]) {
    int32_t s0 = 0, s1 = 0;
    for (uint32_t k = 0; k < groups; k++, x += 4, c0 += 2, c1 += 2) {
        const uint32_t word = te_load_word(x), even = te_widen_even(word), odd = te_widen_odd(word);
        s0 = te_smlad(odd, c0[1], te_smlad(even, c0[0], s0));
        s1 = te_smlad(odd, c1[1], te_smlad(even, c1[0], s1));
    }
    sum[0] = s0;
    sum[1] = s1;
}

void te_pointwise_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                                  void *scratch, const te_train_context *context) {
    const te_trained_weights *t = p->trained;
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, groups = (pixels + 3) / 4, count = t->count;
    const float rate = te_scale_float(context->rate, exponent);
    uint32_t *c0 = scratch, *c1 = c0 + 2 * groups;
    for (uint32_t o = 0; o < p->out.c; o += 2) {
        const float factor0 = rate * t->scaling[o], factor1 = rate * t->scaling[o + 1];
        int32_t total[2], sum[2];
        columns(p, g + o, pixels, c0, c1, total);
        const int8_t *x = saved;
        for (uint32_t j = 0, n = o * count; j < count; j++, n++, x += 4 * groups) {
            correlate(x, c0, c1, groups, sum);
            te_update_one(t, n, (float)(sum[0] - p->in_zero * total[0]), factor0, context->key);
            te_update_one(t, n + count, (float)(sum[1] - p->in_zero * total[1]), factor1, context->key);
        }
    }
}
