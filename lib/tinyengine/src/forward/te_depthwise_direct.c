#include "tinyengine/te_depthwise_direct.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_depthwise_four.h"
#include "../support/te_taps.h"

/* Which weight meets which pixel, `offset` bytes behind the first one. */
typedef struct tap {
    int32_t offset;
    uint32_t weight;
} tap;

/* The taps of one window: those that meet pixels from the front of the list, the others from its end. */
typedef struct taps_of_window {
    tap *list;
    uint32_t met, count;
    uint32_t outside; /* four bytes of what the others meet */
} taps_of_window;

/* The hot loop. */
static inline te_four four(const taps_of_window *taps, const int8_t *x, const uint32_t *weights) {
    te_four sums = te_no_four();
    const tap *at = taps->list, *met = at + taps->met, *end = at + taps->count;
    const int8_t *outside = (const int8_t *)&taps->outside;
    for (; at != met; at++) sums = te_add_four(sums, te_load_bytes(x + at->offset), weights + at->weight);
    for (; at != end; at++) sums = te_add_four(sums, te_load_bytes(outside), weights + at->weight);
    return sums;
}

/* One channel, byte `i` of the words of weights. */
static int32_t one(const taps_of_window *taps, const int8_t *x, const uint32_t *weights, uint32_t i) {
    int32_t sum = 0;
    const tap *at = taps->list, *met = at + taps->met, *end = at + taps->count;
    for (; at != met; at++) sum += x[at->offset] * te_weight_of(weights[at->weight], i);
    for (; at != end; at++) sum += (int8_t)(uint8_t)taps->outside * te_weight_of(weights[at->weight], i);
    return sum;
}

static void make_pixel(const te_depthwise_direct_params *p, const taps_of_window *taps, const int8_t *x,
                       int8_t *y) {
    const uint32_t channels = p->out.c;
    const uint32_t *weights = p->weights;
    const int32_t *k = p->constants;
    for (uint32_t c = 0; c < channels; c += 4, weights += taps->count) {
        const uint32_t count = channels - c < 4 ? channels - c : 4;
        if (count == 4 && p->multiplier == 1) {
            te_round_four(four(taps, x + c, weights), k, y);
            k += 24, y += 4;
            continue;
        }
        for (uint32_t i = 0; i < count; i++, k += 6)
            *y++ = te_round_channel(one(taps, x + (c + i) / p->multiplier, weights, i), k);
    }
}

/* Lists the taps of a window; the first one that meets a pixel meets it at `first`. */
static void list_taps(const te_depthwise_direct_params *p, const te_row_view *x, const te_taps *v,
                      const te_taps *h, const int8_t *first, taps_of_window *taps) {
    const int32_t channels = p->in.c, kw = p->window.kw, left = h->origin * channels;
    uint32_t weight = 0;
    tap *met = taps->list, *other = taps->list + taps->count;
    for (int32_t ky = 0; ky < p->window.kh; ky++) {
        const int inside = ky >= v->first && ky < v->end;
        int32_t offset = 0;
        if (inside)
            offset = (int32_t)(te_row_of(x, (uint32_t)(v->origin + ky * p->window.dh)) - first) + left;
        for (int32_t kx = 0; kx < kw; kx++, weight++, offset += p->window.dw * channels) {
            tap *next = inside && kx >= h->first && kx < h->end ? met++ : --other;
            next->offset = offset;
            next->weight = weight;
        }
    }
    taps->met = (uint32_t)(met - taps->list);
}

/* Output rows `row` on. */
static void run(const te_depthwise_direct_params *p, const te_row_view *x, const te_row_view *y, uint32_t row,
                uint32_t rows, void *scratch) {
    const te_window *k = &p->window;
    taps_of_window taps = {scratch, 0, (uint32_t)k->kh * k->kw, (uint8_t)p->in_zero * 0x01010101u};
    for (uint32_t end = row + rows; row < end; row++) {
        int8_t *line = te_row_of(y, row), *to = line;
        const te_taps v = te_taps_of((int32_t)row, k->sh, k->pad_top, k->kh, k->dh, p->in.h);
        const int some_row = v.first < v.end;
        const int8_t *top = te_row_of(x, some_row ? (uint32_t)(v.origin + v.first * k->dh) : 0);
        for (int32_t ox = 0, listed = 0; ox < p->out.w; ox++, to += p->out.c) {
            const te_taps h = te_taps_of(ox, k->sw, k->pad_left, k->kw, k->dw, p->in.w);
            const int some = some_row && h.first < h.end, whole = some && !h.first && h.end == k->kw;
            const int8_t *first = some ? top + (h.origin + h.first * k->dw) * p->in.c : x->data;
            if (!whole || !listed) list_taps(p, x, &v, &h, first, &taps);
            listed = whole;
            make_pixel(p, &taps, first, to);
        }
        te_clamp_s8(line, (uint32_t)p->out.w * p->out.c, p->min, p->max);
    }
}

void te_depthwise_direct_s8(const te_depthwise_direct_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    const te_row_view to = {y, (uint32_t)p->out.w * p->out.c, p->out.h};
    run(p, &from, &to, 0, p->out.h, scratch);
}

void te_depthwise_direct_rows(const void *params, const te_row_job *job) {
    run(params, &job->x, &job->y, job->row, job->count, job->scratch);
}
