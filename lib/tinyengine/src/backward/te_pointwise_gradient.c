/* Pointwise convolutions backwards, on SMLAD. */
#include "tinyengine/te_backward.h"
#include "tinyengine/te_copy_words.h"
#include "tinyengine/te_gradient_sums.h"

#include "../support/te_pairs.h"
#include "../support/te_pixel_sink.h"
#include "../support/te_update.h"

typedef te_layer_gradient_params params;

/* Trained weights take their places among the widened ones; `j`: the first trained channel that is not below
 * c. Returns the first that is not below c + 4. */
static uint32_t put_trained(const params *p, uint32_t c, uint32_t j, uint32_t *wide) {
    const te_trained_weights *t = p->trained;
    for (; j < t->count && t->channels[j] < c + 4; j++) {
        const int8_t *from = t->values + j;
        uint32_t *to = wide + (t->channels[j] - c);
        for (uint32_t pair = 0; pair < p->out.c / 2u; pair++, to += 4, from += 2u * t->count)
            *to = te_pack_low((uint32_t)(int32_t)from[0], (uint32_t)(int32_t)from[t->count]);
    }
    return j;
}

/* The gradients of pairs of pixels in the order of te_gradient_tile, where they lie, and back. `words`: a multiple of four, of a
 * pixel, and of working memory. */
static void pair_pixels(uint32_t *g, uint32_t pixels, uint32_t words, uint32_t *aside) {
    for (; pixels > 1; pixels -= 2, g += 2 * words) {
        const uint32_t *first = aside, *second = g + words;
        uint32_t *to = g; /* what is written lies in front of what is still read */
        te_copy_words(aside, g, words);
        for (const uint32_t *end = aside + words; first != end; first += 4, second += 4, to += 8) {
            const uint32_t a0 = first[0], a1 = first[1], a2 = first[2], a3 = first[3];
            const uint32_t b0 = second[0], b1 = second[1], b2 = second[2], b3 = second[3];
            to[0] = a0, to[1] = b0, to[2] = a1, to[3] = b1;
            to[4] = a2, to[5] = b2, to[6] = a3, to[7] = b3;
        }
    }
}

static void part_pixels(uint32_t *g, uint32_t pixels, uint32_t words, uint32_t *aside) {
    for (; pixels > 1; pixels -= 2, g += 2 * words) {
        const uint32_t *from = g;
        uint32_t *first = g, *second = aside;
        for (const uint32_t *end = g + 2 * words; from != end; from += 4, first += 2, second += 2) {
            const uint32_t a0 = from[0], b0 = from[1], a1 = from[2], b1 = from[3];
            first[0] = a0, first[1] = a1;
            second[0] = b0, second[1] = b1;
        }
        te_copy_words(first, aside, words);
    }
}

void te_pointwise_input_gradient(const params *p, const int16_t *g, int32_t exponent, const int16_t *known,
                                 int16_t *y, void *scratch) {
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, channels = p->in.c, outputs = p->out.c;
    uint32_t *wide = scratch;
    int32_t *sums = (int32_t *)(void *)(wide + 2 * outputs);
    te_pixel_sink sink = te_sink_of(pixels, channels, known, y, sums);
    sink.own = (int16_t *)(void *)(sums + p->block * channels);
    for (uint32_t first = 0; first < pixels; first += p->block) {
        const uint32_t count = pixels - first < p->block ? pixels - first : p->block;
        te_gradient_tile_args args = {g + first * outputs, wide, sums, 4 * channels, count, outputs / 8};
        uint32_t *own = (uint32_t *)(uintptr_t)args.g; /* changed, and changed back */
        const te_weight_rows *r = &p->rows;
        const int8_t *rows = (const int8_t *)r->base + r->offset;
        uint32_t j = 0;
        pair_pixels(own, count, outputs / 2, wide);
        for (uint32_t c = 0; c < channels; c += 4, args.sums += 4) {
            const int8_t *row = rows + c / 4 * r->quad;
            if (r->fours)
                te_widen_fours((const uint32_t *)(const void *)row, r->pair, outputs / 8, wide);
            else
                te_widen_rows(row, r->second, r->pair, outputs / 8, wide);
            if (p->trained && !p->rows.whole) j = put_trained(p, c, j, wide);
            te_gradient_tile(&args);
        }
        if (p->weight_gradient)
            part_pixels(own, count, outputs / 2, wide); /* else nobody reads it any more */
        for (uint32_t i = 0; i < count; i++) {
            sink.sums = sums + i * channels; /* nobody needs them once they are normalized */
            te_sink_sums(&sink, first + i, sink.sums, te_magnitude_of(sink.sums, channels), exponent);
        }
    }
}

/* ---- gradient of the weights ---- */

/* Gradients of outputs o .. o + 3 of all pixels as te_correlate_4 reads them; total: their sums. */
static void columns(const params *p, const int16_t *g, uint32_t pixels, uint32_t *to, int32_t *total) {
    const uint32_t pitch = p->out.c, ones = 0x00010001u;
    memset(total, 0, 4 * sizeof *total);
    for (uint32_t i = 0; i < pixels; i += 4, g += 4 * pitch)
        for (uint32_t k = 0; k < 4; k += 2, to += 4) {
            const int16_t *at = g + k;
            const uint32_t left = pixels - i;
            const uint32_t p0 = te_load_word(at), p1 = left > 1 ? te_load_word(at + pitch) : 0,
                           p2 = left > 2 ? te_load_word(at + 2 * pitch) : 0,
                           p3 = left > 3 ? te_load_word(at + 3 * pitch) : 0;
            to[0] = te_pack_low(p0, p2);
            to[1] = te_pack_low(p1, p3);
            to[2] = te_pack_high(p0, p2);
            to[3] = te_pack_high(p1, p3);
            total[k] = te_smlad(to[1], ones, te_smlad(to[0], ones, total[k]));
            total[k + 1] = te_smlad(to[3], ones, te_smlad(to[2], ones, total[k + 1]));
        }
}

/* Weight n of four outputs, with velocities. Apart, so that updates without pay one comparison for four. */
static __attribute__((noinline)) void gather_4(const te_trained_weights *t, uint32_t n, const int32_t *sums,
                                               const int32_t *total, const float *factor,
                                               const te_train_context *context) {
    for (uint32_t k = 0; k < 4; k++, n += t->count)
        te_update_one(t, n, (float)(sums[k] - total[k]), factor[k], context);
}

void te_pointwise_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                                  void *scratch, const te_train_context *context) {
    const te_trained_weights *t = p->trained;
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, groups = (pixels + 3) / 4, count = t->count;
    const float rate = te_scale_float(context->rate, exponent);
    uint32_t *column = scratch;
    for (uint32_t o = 0; o < p->out.c; o += 4) {
        int32_t total[4], sums[4];
        float factor[4];
        columns(p, g + o, pixels, column, total);
        for (uint32_t k = 0; k < 4; k++) {
            factor[k] = rate * t->scaling[o + k];
            total[k] *= p->in_zero;
        }
        const int8_t *x = saved;
        for (uint32_t j = 0; j < count; j++, x += 4 * groups) {
            te_correlate_4(x, column, groups, sums);
            if (context->velocity) {
                gather_4(t, o * count + j, sums, total, factor, context);
                continue;
            }
            for (uint32_t k = 0; k < 4; k++)
                te_update_now(t, (o + k) * count + j, (float)(sums[k] - total[k]) * factor[k], context->key);
        }
    }
}

/* ---- a single pixel ---- */

void te_dense_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                              void *scratch, const te_train_context *context) {
    (void)scratch;
    const te_trained_weights *t = p->trained;
    const float rate = te_scale_float(context->rate, exponent);
    for (uint32_t o = 0, n = 0; o < p->out.c; o++) {
        const float factor = rate * t->scaling[o];
        for (uint32_t j = 0; j < t->count; j++, n++)
            te_update_one(t, n, (float)(g[o] * (saved[4 * j] - p->in_zero)), factor, context);
    }
}
