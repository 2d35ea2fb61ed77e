#include "tinyengine/te_conv_f32.h"

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

/* Four output channels of four pixels: 16 sums in registers, each loaded value is used four times. */
static void tile_4x4(const float *const *columns, const float *w, uint32_t count, float *sums) {
    const float *a = columns[0], *b = columns[1], *c = columns[2], *d = columns[3];
    float a0 = 0.0f, a1 = 0.0f, a2 = 0.0f, a3 = 0.0f, b0 = 0.0f, b1 = 0.0f, b2 = 0.0f, b3 = 0.0f;
    float c0 = 0.0f, c1 = 0.0f, c2 = 0.0f, c3 = 0.0f, d0 = 0.0f, d1 = 0.0f, d2 = 0.0f, d3 = 0.0f;
    for (const float *const end = a + count; a != end; w += 4) {
        const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
        const float va = *a++, vb = *b++, vc = *c++, vd = *d++;
        a0 += va * w0;
        a1 += va * w1;
        a2 += va * w2;
        a3 += va * w3;
        b0 += vb * w0;
        b1 += vb * w1;
        b2 += vb * w2;
        b3 += vb * w3;
        c0 += vc * w0;
        c1 += vc * w1;
        c2 += vc * w2;
        c3 += vc * w3;
        d0 += vd * w0;
        d1 += vd * w1;
        d2 += vd * w2;
        d3 += vd * w3;
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
    sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
    sums[8] = c0, sums[9] = c1, sums[10] = c2, sums[11] = c3;
    sums[12] = d0, sums[13] = d1, sums[14] = d2, sums[15] = d3;
}

/* Four output channels of one pixel. */
static void tile_1x4(const float *a, const float *w, uint32_t count, float *sums) {
    float a0 = 0.0f, a1 = 0.0f, a2 = 0.0f, a3 = 0.0f;
    for (const float *const end = a + count; a != end; w += 4) {
        const float va = *a++;
        a0 += va * w[0];
        a1 += va * w[1];
        a2 += va * w[2];
        a3 += va * w[3];
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
}

/* One output channel of four pixels. */
static void tile_4x1(const float *const *columns, const float *w, uint32_t count, float *sums) {
    const float *a = columns[0], *b = columns[1], *c = columns[2], *d = columns[3];
    float a0 = 0.0f, b0 = 0.0f, c0 = 0.0f, d0 = 0.0f;
    for (const float *const end = w + count; w != end; w++) {
        a0 += *a++ * *w;
        b0 += *b++ * *w;
        c0 += *c++ * *w;
        d0 += *d++ * *w;
    }
    sums[0] = a0, sums[1] = b0, sums[2] = c0, sums[3] = d0;
}

static float tile_1x1(const float *a, const float *w, uint32_t count) {
    float sum = 0.0f;
    for (const float *const end = w + count; w != end; w++) sum += *a++ * *w;
    return sum;
}

/* Output channels first .. first + count - 1 of `pixels` (1 or 4) pixels, from their columns; y: the first pixel. */
static void outputs(const te_outputs_f32 *p, const float *const *columns, uint32_t pixels, uint32_t products,
                    uint32_t first, uint32_t count, float *y) {
    const float *w = p->weights + first * products;
    const float low = p->min, high = p->max;
    float sums[16];
    uint32_t o = first;
    for (; o + 4 <= first + count; o += 4, w += 4 * products) {
        const float *const bias = p->bias + o;
        if (pixels == 4)
            tile_4x4(columns, w, products, sums);
        else
            tile_1x4(columns[0], w, products, sums);
        for (uint32_t i = 0; i < pixels; i++)
            for (uint32_t j = 0; j < 4; j++)
                y[i * p->channels + o + j] = te_clamp_f32(sums[4 * i + j] + bias[j], low, high);
    }
    for (; o < first + count; o++, w += products) {
        if (pixels == 4)
            tile_4x1(columns, w, products, sums);
        else
            sums[0] = tile_1x1(columns[0], w, products);
        for (uint32_t i = 0; i < pixels; i++)
            y[i * p->channels + o] = te_clamp_f32(sums[i] + p->bias[o], low, high);
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
            outputs(&p->outputs, columns, step, products, group * channels, channels, y);
        }
    }
}

void te_dense_f32(const te_dense_f32_params *p, const float *x, float *y) {
    const float *columns[4];
    for (uint32_t row = 0, step; row < p->rows; row += step, y += step * p->outputs.channels) {
        step = p->rows - row >= 4 ? 4 : 1;
        for (uint32_t i = 0; i < step; i++, x += p->in) columns[i] = x;
        outputs(&p->outputs, columns, step, p->in, 0, p->outputs.channels, y);
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
