/* Depthwise convolutions backwards, pixel by pixel with all channels side by side. */
#include "tinyengine/te_backward.h"

#include "../support/te_pairs.h"
#include "../support/te_pixel_sink.h"
#include "../support/te_widen.h"

typedef te_layer_gradient_params params;

/* A tap that reaches an output pixel: bytes from `g` to its gradients, and from the weights to the tap's. */
typedef struct tap {
    int32_t g;
    uint32_t w;
} tap;

/* Scratch, divided. */
typedef struct layout {
    int32_t *rows; /* [out.h]: bytes from g to each row of it */
    tap *taps;     /* [kh * kw] */
    int16_t *ring; /* rows of g whose place has been taken by y */
} layout;

/* Which taps reach input pixel (iy, ix); returns their number. */
static uint32_t collect(const params *p, const layout *s, int32_t iy, int32_t ix) {
    const te_window *k = &p->window;
    const int32_t pixel = 2 * p->out.c;
    tap *to = s->taps;
    for (int32_t ky = 0; ky < k->kh; ky++) {
        const int32_t y = iy + k->pad_top - ky * k->dh;
        if (y < 0 || y >= p->out.h * k->sh || y % k->sh) continue;
        const int32_t row = s->rows[y / k->sh];
        for (int32_t kx = 0; kx < k->kw; kx++) {
            const int32_t x = ix + k->pad_left - kx * k->dw;
            if (x < 0 || x >= p->out.w * k->sw || x % k->sw) continue;
            to->g = row + x / k->sw * pixel;
            to->w = (uint32_t)(ky * k->kw + kx) * p->out.c;
            to++;
        }
    }
    return (uint32_t)(to - s->taps);
}

/* Sums of 4 channels over the taps. */
static void sum4(const tap *taps, const tap *end, const int8_t *g, const int8_t *w, int32_t *sums) {
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (; taps != end; taps++) {
        const int8_t *at = g + taps->g;
        const uint32_t g01 = te_load_word(at), g23 = te_load_word(at + 4), word = te_load_word(w + taps->w);
        const uint32_t even = te_widen_even(word), odd = te_widen_odd(word);
        s0 = te_smlabb(g01, even, s0);
        s1 = te_smlatb(g01, odd, s1);
        s2 = te_smlabt(g23, even, s2);
        s3 = te_smlatt(g23, odd, s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* Keeps a row of g whose place y is about to take. */
static void keep_row(const params *p, const layout *s, const int16_t *g, int32_t row) {
    const te_window *k = &p->window;
    const int32_t slots = (k->kh - 1) * k->dh - k->pad_top + 1, values = p->out.w * p->out.c;
    int16_t *slot = s->ring + row % slots * values;
    memcpy(slot, g + row * values, 2 * (uint32_t)values);
    s->rows[row] = (int32_t)((int8_t *)slot - (const int8_t *)g);
}

void te_depthwise_fast_input_gradient(const params *p, const int16_t *g, int32_t exponent,
                                      const int8_t *known, int8_t *y, void *scratch) {
    const uint32_t channels = p->in.c;
    const te_pixel_sink sink = te_sink_of((uint32_t)p->in.h * p->in.w, channels, known, y, scratch);
    layout s;
    s.rows = (int32_t *)(void *)(sink.own + channels);
    s.taps = (tap *)(void *)(s.rows + p->out.h);
    s.ring = (int16_t *)(void *)(s.taps + p->window.kh * p->window.kw);
    for (int32_t row = 0; row < p->out.h; row++) s.rows[row] = 2 * row * p->out.w * p->out.c;
    const int in_place = (const void *)y == (const void *)g;
    for (int32_t iy = 0, pixel = 0; iy < p->in.h; iy++) {
        if (in_place) keep_row(p, &s, g, iy);
        for (int32_t ix = 0; ix < p->in.w; ix++, pixel++) {
            const tap *end = s.taps + collect(p, &s, iy, ix);
            for (uint32_t c = 0; c < channels; c += 4)
                sum4(s.taps, end, (const int8_t *)g + 2 * c, p->weights + c, sink.sums + c);
            te_sink_sums(&sink, (uint32_t)pixel, sink.sums, te_magnitude_of(sink.sums, channels), exponent);
        }
    }
}
