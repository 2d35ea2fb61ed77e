/* Depthwise convolution with trained constants: a table of the channels' constants and the taps of a channel
 * are put together, then te_depthwise_fast.h computes them. */
#include "tinyengine/te_trained_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_depthwise_fast_run.h"

#include <string.h>

#define PLAIN (1 << 16)
#define FIELD_HALF (1 << 19) /* half of what a field of te_depthwise_fast.h holds: sums are doubled there */

typedef te_depthwise_trained_fast_params params;

static int is_constant(const params *p, int32_t c) {
    return p->limits[2 * c] == TE_DEPTHWISE_CONSTANT;
}

static int fits(const params *p, int32_t c, int32_t bias) {
    const int16_t *limit = p->limits + 2 * c;
    return bias >= limit[0] * TE_DEPTHWISE_LIMIT_STEP && bias <= limit[1] * TE_DEPTHWISE_LIMIT_STEP;
}

/* ---- whole maps ---- */

/* Of map_constants. */
static void make_map_table(const params *p, uint32_t *to) {
    const int32_t *from = p->depthwise.map_constants;
    for (int32_t c = 0; c < p->depthwise.in.c; c++, from += 2, to += 2) {
        to[0] = (uint32_t)from[0];
        to[1] = (uint32_t)from[1];
        if (!is_constant(p, c)) to[0] |= (uint32_t)p->bias[c] & 0xffffffu;
    }
}

/* How far sums reach without the bias, given the sums of the positive and of the negative taps. */
static int taps_fit(const params *p, int32_t positive, int32_t negative, int32_t bias) {
    const int32_t low = -128 - p->depthwise.in_zero, high = 127 - p->depthwise.in_zero;
    const int32_t largest = positive * high + negative * low, least = positive * low + negative * high;
    return largest < FIELD_HALF && least >= -FIELD_HALF && largest + bias < FIELD_HALF &&
           least + bias >= -FIELD_HALF;
}

/* The taps of trained channel `index`, as packed; returns whether its fields hold every sum. */
static int gather_taps(const params *p, int32_t c, uint32_t index, int8_t *to) {
    const int32_t rows = p->depthwise.window.kh, columns = p->depthwise.window.kw;
    const int8_t *from = p->values + index;
    int32_t positive = 0, negative = 0;
    for (int32_t y = 0; y < rows; y++, from += p->row_bytes)
        for (int32_t x = 0; x < columns; x++) {
            const int32_t w = from[x * p->count];
            *to++ = (int8_t)w;
            if (w > 0)
                positive += w;
            else
                negative += w;
        }
    return taps_fit(p, positive, negative, p->bias[c]);
}

/* What a channel that runs plainly needs. */
static te_depthwise_channel channel_of(const params *p, int32_t c, const int8_t *packed) {
    const te_depthwise_fast_params *d = &p->depthwise;
    const int32_t taps = d->window.kh * d->tap_bytes, e = (int32_t)((uint32_t)d->map_constants[2 * c] >> 24);
    int32_t sum = 0;
    for (int32_t i = 0; i < taps; i++) sum += packed[i];
    const te_depthwise_channel ch = {p->bias[c] - d->in_zero * sum, d->map_constants[2 * c + 1],
                                     (int32_t)((uint32_t)(2 * d->out_zero + 1) << e) >> 1, e, 1};
    return ch;
}

/* Scratch memory, divided. */
typedef struct layout {
    uint32_t *table;
    int8_t *taps;
    uint32_t *rest;
} layout;

static void run_part(const params *p, int32_t c, int32_t count, const int8_t *packed, int plain,
                     const te_depthwise_batch *b, const layout *s) {
    if (plain) {
        const te_depthwise_channel ch = channel_of(p, c, packed);
        te_depthwise_run_plain(&p->depthwise, c, packed, &ch, b, (int16_t *)(void *)s->rest);
    } else {
        te_depthwise_run_map(&p->depthwise, c, count, packed, (const int32_t *)s->table + 2 * c, b, s->rest);
    }
}

/* A channel whose weights are trained. */
static void run_trained(const params *p, int32_t c, uint32_t index, const te_depthwise_batch *b,
                        const layout *s) {
    const te_depthwise_fast_params *d = &p->depthwise;
    int plain = 0;
    if (is_constant(p, c))
        memset(s->taps, 0, (uint32_t)d->window.kh * d->window.kw);
    else
        plain = !gather_taps(p, c, index, s->taps);
    run_part(p, c, 1, s->taps, plain, b, s);
}

static int runs_plain(const params *p, int32_t c) {
    return !is_constant(p, c) && !fits(p, c, p->bias[c]);
}

/* Channels c .. end - 1, whose weights lie in flash. */
static void run_frozen(const params *p, int32_t c, int32_t end, const te_depthwise_batch *b,
                       const layout *s) {
    const int32_t taps = p->depthwise.window.kh * p->depthwise.tap_bytes;
    for (int32_t next; c < end; c = next) {
        const int plain = runs_plain(p, c);
        next = c + 1;
        while (!plain && next < end && !runs_plain(p, next)) next++;
        run_part(p, c, next - c, p->depthwise.packed + c * taps, plain, b, s);
    }
}

static void run_maps(const params *p, const int8_t *x, int8_t *y, uint32_t *scratch) {
    const te_depthwise_fast_params *d = &p->depthwise;
    const int32_t channels = d->in.c, line = d->out.w * channels;
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)d->in.w * d->in.c, d->in.h}; /* only read */
    const te_depthwise_batch b = {&from, y, 0, d->out.h, line};
    uint32_t *taps = scratch + 2 * channels;
    const layout s = {scratch, (int8_t *)taps,
                      p->count ? taps + (d->window.kh * d->window.kw + 3) / 4 : taps};
    int32_t c = 0;
    make_map_table(p, s.table);
    for (uint32_t i = 0; i < p->count; i++, c++) {
        run_frozen(p, c, p->trained[i], &b, &s);
        c = p->trained[i];
        run_trained(p, c, i, &b, &s);
    }
    run_frozen(p, c, channels, &b, &s);
    te_clamp_s8(y, (uint32_t)(d->out.h * line), d->min, d->max);
}

/* ---- row by row ---- */

static void run_rows(const params *p, const int8_t *x, int8_t *y, int32_t *table) {
    te_depthwise_fast_params whole = p->depthwise;
    const int32_t *from = whole.channels;
    int32_t *to = table;
    for (int32_t c = 0; c < whole.in.c; c++, from += 4, to += 4) {
        const int constant = is_constant(p, c);
        to[0] = constant ? from[0] : from[0] + p->bias[c];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
        if (constant || fits(p, c, to[0])) continue;
        to[3] |= PLAIN;
        whole.some_plain = 1;
    }
    whole.channels = table;
    te_depthwise_fast_s8(&whole, x, y, to);
}

void te_depthwise_trained_fast_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    if (p->depthwise.map)
        run_maps(p, x, y, scratch);
    else
        run_rows(p, x, y, scratch);
}
