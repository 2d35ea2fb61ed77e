/* Pools and means, of whole pictures and by rows. */
#include "tinyengine/te_pool.h"

#include "../support/te_requant_fixed.h"
#include "../support/te_sum_four.h"
#include "../support/te_taps.h"
#include "tinyengine/te_requant.h"
#include "tinyengine/te_row_ops.h"

#if TE_DSP
#include <arm_acle.h>
#endif
#if TE_MVE
#include <arm_mve.h>
#endif

/* ---- pools --------------------------------------------------------------------------------------------- */

/* The pixels under a window that lie in the picture: rows x columns. Rows from `wrap` on lie `wrapped` bytes
 * before the place behind their predecessors. */
typedef struct view {
    const int8_t *corner;
    int32_t rows, columns, wrap, row_bytes, wrapped, channels;
} view;

/* Outputs `channel` on of one pixel, to y; returns how many were made. */
typedef int32_t pool_op(const te_pool_params *p, const view *v, int32_t channel, int8_t *y);

static inline int32_t value_of(const view *v, int32_t row, int32_t column, int32_t channel) {
    return v->corner[row * v->row_bytes - (row >= v->wrap ? v->wrapped : 0) + column * v->channels + channel];
}

/* Inlined with a constant `op`. */
TE_INLINE void pool_row(const te_pool_params *p, const te_row_view *x, uint32_t row, int8_t *y, pool_op *op) {
    const te_taps v = te_taps_of((int32_t)row, p->window.sh, p->window.pad_top, p->window.kh, 1, p->in.h);
    const uint32_t top = (uint32_t)(v.origin + v.first), count = (uint32_t)(v.end - v.first);
    const int8_t *line = te_row_of(x, top);
    view under = {.rows = (int32_t)count,
                  .wrap = (int32_t)te_rows_in_line(x, top, count),
                  .row_bytes = (int32_t)x->row_bytes,
                  .wrapped = (int32_t)(x->capacity * x->row_bytes),
                  .channels = p->in.c};
    for (int32_t ox = 0; ox < p->out.w; ox++) {
        const te_taps h = te_taps_of(ox, p->window.sw, p->window.pad_left, p->window.kw, 1, p->in.w);
        under.corner = line + (h.origin + h.first) * p->in.c;
        under.columns = h.end - h.first;
        for (int32_t c = 0; c < p->in.c;) c += op(p, &under, c, y + c);
        y += p->in.c;
    }
}

static inline te_row_view whole_of(const te_pool_params *p, const int8_t *x) {
    const te_row_view v = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    return v;
}

static inline int32_t rounded_mean(int32_t sum, int32_t count) {
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static inline void sum_four(const view *v, int32_t channel, int32_t sums[4]) {
    const int8_t *x = v->corner + channel;
    const uint32_t row_bytes = (uint32_t)v->row_bytes, channels = (uint32_t)v->channels;
    const int32_t straight = v->rows < v->wrap ? v->rows : v->wrap;
    for (int32_t c = 0; c < 4; c++) sums[c] = 0;
    te_sum_four(x, (uint32_t)straight, row_bytes, (uint32_t)v->columns, channels, sums);
    if (v->rows == straight) return;
    x += straight * v->row_bytes - v->wrapped;
    te_sum_four(x, (uint32_t)(v->rows - straight), row_bytes, (uint32_t)v->columns, channels, sums);
}

TE_INLINE int32_t average_of(const te_pool_params *p, const view *v, int32_t channel, int8_t *y) {
    const int32_t count = v->rows * v->columns;
    if (channel + 4 <= v->channels && v->columns <= TE_SUM_FOUR_MAX) {
        int32_t sums[4];
        sum_four(v, channel, sums);
        for (int32_t c = 0; c < 4; c++) y[c] = (int8_t)te_clamp(rounded_mean(sums[c], count), p->min, p->max);
        return 4;
    }
    int32_t sum = 0;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) sum += value_of(v, r, k, channel);
    y[0] = (int8_t)te_clamp(rounded_mean(sum, count), p->min, p->max);
    return 1;
}

#if TE_DSP
/* `larger` if a is at least b, else `smaller`, byte by byte. */
static inline uint32_t choose_bytes(uint32_t a, uint32_t b, uint32_t larger, uint32_t smaller) {
    (void)__ssub8((int8x4_t)a, (int8x4_t)b); /* notes for SEL which bytes of a are at least b's */
    return (uint32_t)__sel((uint8x4_t)larger, (uint8x4_t)smaller);
}

static inline uint32_t in_all_bytes(int32_t value) {
    return (uint8_t)value * UINT32_C(0x01010101);
}

/* Four channels at once: 5 instructions per pixel. */
TE_INLINE void maximum_four(const te_pool_params *p, const view *v, int32_t channel, int8_t *y) {
    uint32_t best = in_all_bytes(p->min);
    const uint32_t most = in_all_bytes(p->max);
    const int8_t *row = v->corner + channel;
    for (int32_t r = 0; r < v->rows; r++, row += v->row_bytes) {
        const int8_t *pixel = row - (r >= v->wrap ? v->wrapped : 0);
        for (int32_t k = v->columns; k; k--, pixel += v->channels) {
            uint32_t bytes;
            memcpy(&bytes, pixel, 4);
            best = choose_bytes(best, bytes, best, bytes);
        }
    }
    best = choose_bytes(best, most, most, best);
    memcpy(y, &best, 4);
}
#endif

#if TE_MVE
/* Sixteen channels at once: 4 instructions per pixel. */
TE_INLINE void maximum_vector(const te_pool_params *p, const view *v, int32_t channel, int8_t *y) {
    int8x16_t best = vdupq_n_s8((int8_t)p->min);
    const int8_t *row = v->corner + channel;
    for (int32_t r = 0; r < v->rows; r++, row += v->row_bytes) {
        const int8_t *pixel = row - (r >= v->wrap ? v->wrapped : 0);
        for (int32_t k = v->columns; k; k--, pixel += v->channels) best = vmaxq_s8(best, vld1q_s8(pixel));
    }
    vst1q_s8(y, vminq_s8(best, vdupq_n_s8((int8_t)p->max)));
}
#endif

TE_INLINE int32_t maximum_of(const te_pool_params *p, const view *v, int32_t channel, int8_t *y) {
#if TE_MVE
    if (channel + 16 <= v->channels) {
        maximum_vector(p, v, channel, y);
        return 16;
    }
#endif
#if TE_DSP
    if (channel + 4 <= v->channels) {
        maximum_four(p, v, channel, y);
        return 4;
    }
#endif
    int32_t best = p->min;
    for (int32_t r = 0; r < v->rows; r++)
        for (int32_t k = 0; k < v->columns; k++) {
            const int32_t value = value_of(v, r, k, channel);
            if (value > best) best = value;
        }
    y[0] = (int8_t)(best < p->max ? best : p->max);
    return 1;
}

void te_average_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y) {
    const te_row_view whole = whole_of(p, x);
    for (uint32_t row = 0; row < p->out.h; row++, y += p->out.w * p->out.c)
        pool_row(p, &whole, row, y, average_of);
}

void te_max_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y) {
    const te_row_view whole = whole_of(p, x);
    for (uint32_t row = 0; row < p->out.h; row++, y += p->out.w * p->out.c)
        pool_row(p, &whole, row, y, maximum_of);
}

void te_average_pool_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        pool_row(params, &job->x, row, te_row_of(&job->y, row), average_of);
}

void te_max_pool_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        pool_row(params, &job->x, row, te_row_of(&job->y, row), maximum_of);
}

/* ---- means --------------------------------------------------------------------------------------------- */

typedef struct mean_round {
    int32_t offset, c, e; /* e = 0: not prepared */
} mean_round;

/* For means of `values` values. */
static inline mean_round mean_round_of(const te_mean_params *p, uint32_t values) {
    mean_round r = {(int32_t)values * p->in_zero, 0, 0};
    if (p->shift < 0 && p->shift >= -22 && p->multiplier >= 0 && values < 1u << 22) {
        r.e = -p->shift;
        r.c = (int32_t)((UINT32_C(1) << (r.e - 1)) + ((uint32_t)p->out_zero << r.e));
    }
    return r;
}

static inline int8_t mean_of(const te_mean_params *p, const mean_round *r, int32_t sum) {
    sum -= r->offset;
    if (r->e) return (int8_t)te_round_exact(2 * sum, p->multiplier, r->c, r->e);
    const int32_t mean = te_scale(sum, p->multiplier, p->shift);
    return (int8_t)te_clamp(te_wrap_add(mean, p->out_zero), INT8_MIN, INT8_MAX);
}

/* Sum of the values that one output averages. */
static int32_t sum_from(const te_reduce *s, const int8_t *row) {
    int32_t sum = 0;
    for (uint32_t r = 0; r < s->reduce[0]; r++, row += s->reduce_stride[0]) {
        const int8_t *value = row;
        for (uint32_t k = 0; k < s->reduce[1]; k++, value += s->reduce_stride[1]) sum += *value;
    }
    return sum;
}

void te_mean_s8(const te_mean_params *p, const int8_t *x, int8_t *y) {
    const te_reduce *s = &p->shape;
    const mean_round round = mean_round_of(p, s->reduce[0] * s->reduce[1]);
    const int four = s->keep_stride[1] == 1 && s->reduce[1] <= TE_SUM_FOUR_MAX;
    for (uint32_t i = 0; i < s->keep[0]; i++, x += s->keep_stride[0]) {
        uint32_t j = 0;
        for (; four && j + 4 <= s->keep[1]; j += 4) {
            int32_t sums[4] = {0, 0, 0, 0};
            te_sum_four(x + j, s->reduce[0], s->reduce_stride[0], s->reduce[1], s->reduce_stride[1], sums);
            for (uint32_t k = 0; k < 4; k++) *y++ = mean_of(p, &round, sums[k]);
        }
        for (; j < s->keep[1]; j++) *y++ = mean_of(p, &round, sum_from(s, x + j * s->keep_stride[1]));
    }
}

/* Takes in a row; row 0 starts the sums. */
TE_INLINE void take_row(const te_row_sums *s, int32_t *sums, const int8_t *values, uint32_t row) {
    uint32_t i = 0;
    if (!row) memset(sums, 0, s->sums * sizeof *sums);
    if (s->pixels <= TE_SUM_FOUR_MAX)
        for (; i + 4 <= s->sums; i += 4) te_sum_four(values + i, 1, 0, s->pixels, s->sums, sums + i);
    for (; i < s->sums; i++)
        for (uint32_t k = 0; k < s->pixels; k++) sums[i] += values[i + k * s->sums];
}

void te_average_rows(const void *params, const te_row_job *job) {
    const te_average_rows_params *p = params;
    int32_t *sums = job->scratch;
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        take_row(&p->shape, sums, te_row_of(&job->x, row), row);
    if (job->row + job->count < p->shape.rows) return;
    const int32_t count = (int32_t)(p->shape.rows * p->shape.pixels);
    for (uint32_t i = 0; i < p->shape.sums; i++)
        job->y.data[i] = (int8_t)te_clamp(rounded_mean(sums[i], count), p->min, p->max);
}

static void average(const te_mean_rows_params *p, const int32_t *sums, int8_t *y) {
    const mean_round round = mean_round_of(&p->mean, p->shape.rows * p->shape.pixels);
    for (uint32_t i = 0; i < p->shape.sums; i++) y[i] = mean_of(&p->mean, &round, sums[i]);
}

void te_mean_rows(const void *params, const te_row_job *job) {
    const te_mean_rows_params *p = params;
    int32_t *sums = job->scratch;
    int8_t *line = (int8_t *)(sums + p->shape.sums), *y = job->y.data;
    for (uint32_t row = job->row; row < job->row + job->count; row++) {
        const int8_t *x = te_row_of(&job->x, row);
        if (p->has_before) te_mean_s8(&p->before, x, line);
        take_row(&p->shape, sums, p->has_before ? line : x, row);
    }
    if (job->row + job->count < p->shape.rows) return;
    average(p, sums, p->has_behind ? line : y);
    if (p->has_behind) te_mean_s8(&p->behind, line, y);
}
