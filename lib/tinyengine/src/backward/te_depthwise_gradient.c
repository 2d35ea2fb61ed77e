/* Depthwise convolutions backwards, pixel by pixel with all channels side by side. */
#include "tinyengine/te_backward.h"
#include "tinyengine/te_copy_words.h"

#include "../support/te_pixel_sink.h"

typedef te_layer_gradient_params params;

/* Scratch, divided. */
typedef struct layout {
    te_gradient_tap *taps; /* [kh * kw] */
    int32_t *rows;         /* [out.h]: bytes from g to each row of it */
    int16_t *ring;         /* rows of g whose place has been taken by y */
} layout;

/* Which taps reach input pixel (iy, ix); returns their number. */
static uint32_t collect(const params *p, const layout *s, const int16_t *g, int32_t iy, int32_t ix) {
    const te_window *k = &p->window;
    te_gradient_tap *to = s->taps;
    for (int32_t ky = 0; ky < k->kh; ky++) {
        const int32_t y = iy + k->pad_top - ky * k->dh;
        if (y < 0 || y >= p->out.h * k->sh || y % k->sh) continue;
        const int16_t *row = (const int16_t *)(const void *)((const int8_t *)g + s->rows[y / k->sh]);
        for (int32_t kx = 0; kx < k->kw; kx++) {
            const int32_t x = ix + k->pad_left - kx * k->dw;
            if (x < 0 || x >= p->out.w * k->sw || x % k->sw) continue;
            to->g = row + x / k->sw * p->out.c;
            to->w = p->weights + (ky * k->kw + kx) * p->out.c;
            to++;
        }
    }
    return (uint32_t)(to - s->taps);
}

/* Keeps a row of g whose place y is about to take. */
static void keep_row(const params *p, const layout *s, const int16_t *g, int32_t row) {
    const te_window *k = &p->window;
    const int32_t slots = (k->kh - 1) * k->dh - k->pad_top + 1, values = p->out.w * p->out.c;
    int16_t *slot = s->ring + row % slots * values;
    te_copy_words(slot, g + row * values, (uint32_t)values / 2);
    s->rows[row] = (int32_t)((int8_t *)slot - (const int8_t *)g);
}

void te_depthwise_fast_input_gradient(const params *p, const int16_t *g, int32_t exponent,
                                      const int16_t *known, int16_t *y, void *scratch) {
    const uint32_t channels = p->in.c;
    layout s;
    s.taps = scratch;
    s.rows = (int32_t *)(void *)(s.taps + p->window.kh * p->window.kw);
    const te_pixel_sink sink = te_sink_of((uint32_t)p->in.h * p->in.w, channels, known, y, s.rows + p->out.h);
    s.ring = sink.own + channels;
    for (int32_t row = 0; row < p->out.h; row++) s.rows[row] = 2 * row * p->out.w * p->out.c;
    const int in_place = y == g;
    for (int32_t iy = 0, pixel = 0; iy < p->in.h; iy++) {
        if (in_place) keep_row(p, &s, g, iy);
        for (int32_t ix = 0; ix < p->in.w; ix++, pixel++) {
            const uint32_t taps = collect(p, &s, g, iy, ix);
            if (taps)
                te_depthwise_taps(s.taps, taps, sink.sums, channels / 4);
            else
                memset(sink.sums, 0, 4 * channels);
            te_sink_sums(&sink, (uint32_t)pixel, sink.sums, te_magnitude_of(sink.sums, channels), exponent);
        }
    }
}
