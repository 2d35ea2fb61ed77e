/* One output row of the pools, from a picture that is kept by rows. */
#ifndef TE_POOL_ROW_H
#define TE_POOL_ROW_H

#include "te_sum_four.h"
#include "te_taps.h"
#include "tinyengine/te_pool.h"
#include "tinyengine/te_rows.h"

/* The pixels under a window that lie in the picture: rows x columns. Rows from `wrap` on lie `wrapped` bytes
 * before the place behind their predecessors. */
typedef struct te_pool_view {
    const int8_t *corner;
    int32_t rows, columns, wrap, row_bytes, wrapped, channels;
} te_pool_view;

/* Outputs `channel` on of one pixel; returns how many were made. */
typedef int32_t te_pool_op(const te_pool_view *v, int32_t channel, int32_t out[4]);

static inline int32_t te_pool_value(const te_pool_view *v, int32_t row, int32_t column, int32_t channel) {
    return v->corner[row * v->row_bytes - (row >= v->wrap ? v->wrapped : 0) + column * v->channels + channel];
}

/* Inlined with a constant `op`. */
static inline void te_pool_row(const te_pool_params *p, const te_row_view *x, uint32_t row, int8_t *y,
                               te_pool_op *op) {
    const te_taps v = te_taps_of((int32_t)row, p->window.sh, p->window.pad_top, p->window.kh, 1, p->in.h);
    const uint32_t top = (uint32_t)(v.origin + v.first), count = (uint32_t)(v.end - v.first);
    const int8_t *line = te_row_of(x, top);
    te_pool_view view = {.rows = (int32_t)count,
                         .wrap = (int32_t)te_rows_in_line(x, top, count),
                         .row_bytes = (int32_t)x->row_bytes,
                         .wrapped = (int32_t)(x->capacity * x->row_bytes),
                         .channels = p->in.c};
    for (int32_t ox = 0; ox < p->out.w; ox++) {
        const te_taps h = te_taps_of(ox, p->window.sw, p->window.pad_left, p->window.kw, 1, p->in.w);
        view.corner = line + (h.origin + h.first) * p->in.c;
        view.columns = h.end - h.first;
        for (int32_t c = 0; c < p->in.c;) {
            int32_t values[4];
            const int32_t made = op(&view, c, values);
            for (int32_t i = 0; i < made; i++) {
                const int32_t value = values[i];
                *y++ = (int8_t)(value < p->min ? p->min : value > p->max ? p->max : value);
            }
            c += made;
        }
    }
}

static inline te_row_view te_pool_whole(const te_pool_params *p, const int8_t *x) {
    const te_row_view v = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    return v;
}

static inline int32_t te_pool_mean(int32_t sum, int32_t count) {
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static inline void te_pool_sum_four(const te_pool_view *v, int32_t channel, int32_t sums[4]) {
    const int8_t *x = v->corner + channel;
    const uint32_t row_bytes = (uint32_t)v->row_bytes, channels = (uint32_t)v->channels;
    const int32_t straight = v->rows < v->wrap ? v->rows : v->wrap;
    for (int32_t c = 0; c < 4; c++) sums[c] = 0;
    te_sum_four(x, (uint32_t)straight, row_bytes, (uint32_t)v->columns, channels, sums);
    if (v->rows == straight) return;
    x += straight * v->row_bytes - v->wrapped;
    te_sum_four(x, (uint32_t)(v->rows - straight), row_bytes, (uint32_t)v->columns, channels, sums);
}

static inline int32_t te_pool_average(const te_pool_view *v, int32_t channel, int32_t out[4]) {
    const int32_t count = v->rows * v->columns;
    if (channel + 4 <= v->channels && v->columns <= TE_SUM_FOUR_MAX) {
        te_pool_sum_four(v, channel, out);
        for (int32_t c = 0; c < 4; c++) out[c] = te_pool_mean(out[c], count);
        return 4;
    }
    int32_t sum = 0;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) sum += te_pool_value(v, r, k, channel);
    out[0] = te_pool_mean(sum, count);
    return 1;
}

static inline int32_t te_pool_maximum(const te_pool_view *v, int32_t channel, int32_t out[4]) {
    int32_t best = INT8_MIN;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) {
            const int32_t value = te_pool_value(v, r, k, channel);
            if (value > best) best = value;
        }
    out[0] = best;
    return 1;
}

#endif
