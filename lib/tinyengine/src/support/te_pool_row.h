/* One output row of the pools, from a picture that is kept by rows. */
#ifndef TE_POOL_ROW_H
#define TE_POOL_ROW_H

#include "te_taps.h"
#include "tinyengine/te_pool.h"
#include "tinyengine/te_rows.h"

/* The pixels under a window that lie in the picture: rows x columns. Rows from `wrap` on lie `wrapped` bytes
 * before the place behind their predecessors. */
typedef struct te_pool_view {
    const int8_t *corner;
    int32_t rows, columns, wrap, row_bytes, wrapped, channels;
} te_pool_view;

/* What becomes of one channel's values. */
typedef int32_t te_pool_op(const te_pool_view *v, int32_t channel);

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
        for (int32_t c = 0; c < p->in.c; c++) {
            const int32_t value = op(&view, c);
            *y++ = (int8_t)(value < p->min ? p->min : value > p->max ? p->max : value);
        }
    }
}

static inline te_row_view te_pool_whole(const te_pool_params *p, const int8_t *x) {
    const te_row_view v = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    return v;
}

static inline int32_t te_pool_average(const te_pool_view *v, int32_t channel) {
    const int32_t count = v->rows * v->columns;
    int32_t sum = 0;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) sum += te_pool_value(v, r, k, channel);
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static inline int32_t te_pool_maximum(const te_pool_view *v, int32_t channel) {
    int32_t best = INT8_MIN;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) {
            const int32_t value = te_pool_value(v, r, k, channel);
            if (value > best) best = value;
        }
    return best;
}

#endif
