#include "tinyengine/te_conv_f32.h"

#include "../support/te_tiles_f32.h"
#include "tinyengine/te_float.h"

/* What is under the window of output `pixel`, `depth` channels from x on, as `column`. */
static void gather(const te_conv_f32_params *p, const float *x, uint32_t pixel, float *column) {
    const te_window *w = &p->window;
    const uint32_t depth = p->depth, channels = p->in.c;
    const int32_t top = (int32_t)(pixel / p->out.w) * w->sh - w->pad_top;
    const int32_t left = (int32_t)(pixel % p->out.w) * w->sw - w->pad_left;
    const int32_t reach = left + w->kw;
    for (int32_t i = 0; i < w->kh; i++) {
        const int32_t row = top + i * w->dh;
        if (row < 0 || row >= p->in.h) {
            memset(column, 0, w->kw * depth * sizeof *column);
            column += w->kw * depth;
        } else if (depth == channels && w->dw == 1 && left >= 0 && reach <= p->in.w) {
            const uint32_t count = w->kw * depth;
            memcpy(column, x + ((uint32_t)row * p->in.w + (uint32_t)left) * channels, count * sizeof *column);
            column += count;
        } else {
            for (int32_t j = 0; j < w->kw; j++, column += depth) {
                const int32_t at = left + j * w->dw;
                if (at < 0 || at >= p->in.w)
                    memset(column, 0, depth * sizeof *column);
                else
                    memcpy(column, x + ((uint32_t)row * p->in.w + (uint32_t)at) * channels,
                           depth * sizeof *column);
            }
        }
    }
}

void te_conv2d_f32(const te_conv_f32_params *p, const float *x, float *y, void *scratch) {
    const uint32_t products = (uint32_t)p->window.kh * p->window.kw * p->depth;
    const uint32_t pixels = (uint32_t)p->out.h * p->out.w, channels = p->outputs.channels / p->groups;
    float *const column = scratch;
    const float *columns[4];
    for (uint32_t i = 0; i < 4; i++) columns[i] = column + i * products;
    for (uint32_t pixel = 0, step; pixel < pixels; pixel += step, y += step * p->outputs.channels) {
        step = pixels - pixel >= 4 ? 4 : 1;
        for (uint32_t group = 0; group < p->groups; group++) {
            for (uint32_t i = 0; i < step; i++)
                gather(p, x + group * p->depth, pixel + i, column + i * products);
            te_outputs_of_columns(&p->outputs, columns, step, products, group * channels, channels, y);
        }
    }
}

void te_dense_f32(const te_dense_f32_params *p, const float *x, float *y) {
    const float *columns[4];
    for (uint32_t row = 0, step; row < p->rows; row += step, y += step * p->outputs.channels) {
        step = p->rows - row >= 4 ? 4 : 1;
        for (uint32_t i = 0; i < step; i++, x += p->in) columns[i] = x;
        te_outputs_of_columns(&p->outputs, columns, step, p->in, 0, p->outputs.channels, y);
    }
}

/* Where the window of an output row (or column) meets the picture: taps from .. to - 1. */
typedef struct {
    int32_t origin, from, to;
} span;

static span meet(int32_t origin, int32_t kernel, int32_t dilation, int32_t size) {
    span s = {origin, 0, kernel};
    while (s.from < kernel && origin + s.from * dilation < 0) s.from++;
    while (s.to > s.from && origin + (s.to - 1) * dilation >= size) s.to--;
    return s;
}

void te_depthwise_f32(const te_depthwise_f32_params *p, const float *x, float *y) {
    const te_window *w = &p->window;
    const uint32_t channels = p->in.c, all = p->out.c;
    const float low = p->min, high = p->max;
    for (int32_t i = 0; i < p->out.h; i++) {
        const span rows = meet(i * w->sh - w->pad_top, w->kh, w->dh, p->in.h);
        for (int32_t j = 0; j < p->out.w; j++, y += all) {
            const span columns = meet(j * w->sw - w->pad_left, w->kw, w->dw, p->in.w);
            uint32_t o = 0;
            for (; p->multiplier == 1 && o + 4 <= all; o += 4) {
                float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
                for (int32_t k = rows.from; k < rows.to; k++) {
                    const int32_t row = rows.origin + k * w->dh, at = columns.origin + columns.from * w->dw;
                    const float *v = x + (row * p->in.w + at) * (int32_t)channels + o;
                    const float *f = p->weights + (k * w->kw + columns.from) * (int32_t)all + o;
                    for (int32_t l = columns.from; l < columns.to; l++, v += w->dw * channels, f += all) {
                        s0 += v[0] * f[0];
                        s1 += v[1] * f[1];
                        s2 += v[2] * f[2];
                        s3 += v[3] * f[3];
                    }
                }
                y[o] = te_clamp_f32(s0 + p->bias[o], low, high);
                y[o + 1] = te_clamp_f32(s1 + p->bias[o + 1], low, high);
                y[o + 2] = te_clamp_f32(s2 + p->bias[o + 2], low, high);
                y[o + 3] = te_clamp_f32(s3 + p->bias[o + 3], low, high);
            }
            for (; o < all; o++) {
                float sum = 0.0f;
                for (int32_t k = rows.from; k < rows.to; k++)
                    for (int32_t l = columns.from; l < columns.to; l++) {
                        const int32_t row = rows.origin + k * w->dh, at = columns.origin + l * w->dw;
                        sum += x[(row * p->in.w + at) * (int32_t)channels + (int32_t)(o / p->multiplier)] *
                               p->weights[(k * w->kw + l) * (int32_t)all + (int32_t)o];
                    }
                y[o] = te_clamp_f32(sum + p->bias[o], low, high);
            }
        }
    }
}

void te_average_pool_f32(const te_pool_f32_params *p, const float *x, float *y) {
    const te_window *w = &p->window;
    for (int32_t i = 0; i < p->out.h; i++) {
        const span rows = meet(i * w->sh - w->pad_top, w->kh, 1, p->in.h);
        for (int32_t j = 0; j < p->out.w; j++) {
            const span columns = meet(j * w->sw - w->pad_left, w->kw, 1, p->in.w);
            const float count = (float)((rows.to - rows.from) * (columns.to - columns.from));
            for (int32_t c = 0; c < p->in.c; c++) {
                float sum = 0.0f;
                for (int32_t k = rows.from; k < rows.to; k++)
                    for (int32_t l = columns.from; l < columns.to; l++)
                        sum += x[((rows.origin + k) * p->in.w + columns.origin + l) * p->in.c + c];
                *y++ = te_clamp_f32(sum / count, p->min, p->max);
            }
        }
    }
}

void te_max_pool_f32(const te_pool_f32_params *p, const float *x, float *y) {
    const te_window *w = &p->window;
    for (int32_t i = 0; i < p->out.h; i++) {
        const span rows = meet(i * w->sh - w->pad_top, w->kh, 1, p->in.h);
        for (int32_t j = 0; j < p->out.w; j++) {
            const span columns = meet(j * w->sw - w->pad_left, w->kw, 1, p->in.w);
            for (int32_t c = 0; c < p->in.c; c++) {
                float largest = -3.402823466e+38f;
                for (int32_t k = rows.from; k < rows.to; k++)
                    for (int32_t l = columns.from; l < columns.to; l++) {
                        const float v = x[((rows.origin + k) * p->in.w + columns.origin + l) * p->in.c + c];
                        largest = largest < v ? v : largest;
                    }
                *y++ = te_clamp_f32(largest, p->min, p->max);
            }
        }
    }
}
