/* Depthwise convolution with trained biases: a table of the channels' constants is put together, then
 * te_depthwise_fast.h computes them. */
#include "tinyengine/te_trained_fast.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_depthwise_fast_run.h"

#define PLAIN (1 << 16)

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

/* The first channel from c on that must run plainly. */
static int32_t next_plain(const params *p, int32_t c) {
    while (c < p->depthwise.in.c && (is_constant(p, c) || fits(p, c, p->bias[c]))) c++;
    return c;
}

static te_depthwise_channel channel_of(const params *p, int32_t c) {
    const te_depthwise_fast_params *d = &p->depthwise;
    const int32_t taps = d->window.kh * d->tap_bytes, e = (int32_t)((uint32_t)d->map_constants[2 * c] >> 24);
    const int8_t *packed = d->packed + c * taps;
    int32_t sum = 0;
    for (int32_t i = 0; i < taps; i++) sum += packed[i];
    const te_depthwise_channel ch = {p->bias[c] - d->in_zero * sum, d->map_constants[2 * c + 1],
                                     (int32_t)((uint32_t)(2 * d->out_zero + 1) << e) >> 1, e, 1};
    return ch;
}

static void run_maps(const params *p, const int8_t *x, int8_t *y, uint32_t *table) {
    te_depthwise_fast_params whole = p->depthwise;
    const int32_t channels = whole.in.c, line = whole.out.w * channels;
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)whole.in.w * whole.in.c,
                              whole.in.h}; /* only read */
    const te_depthwise_batch b = {&from, y, 0, whole.out.h, line};
    uint32_t *scratch = table + 2 * channels;
    make_map_table(p, table);
    whole.map_constants = (const int32_t *)table;
    for (int32_t c = 0; c < channels;) {
        const int32_t end = next_plain(p, c);
        if (end > c) te_depthwise_run_map(&whole, c, end - c, &b, scratch);
        if (end < channels) {
            const te_depthwise_channel ch = channel_of(p, end);
            te_depthwise_run_plain(&whole, end, &ch, &b, (int16_t *)(void *)scratch);
        }
        c = end + 1;
    }
    te_clamp_s8(y, (uint32_t)(whole.out.h * line), whole.min, whole.max);
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
