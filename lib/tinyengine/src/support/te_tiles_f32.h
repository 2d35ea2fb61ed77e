/* Sums of products of float32: four outputs of four columns of values at a time (te_conv_f32.h). */
#ifndef TE_TILES_F32_H
#define TE_TILES_F32_H

#include "tinyengine/te_conv_f32.h"
#include "tinyengine/te_float.h"

/* Four output channels of four pixels: 16 sums in registers, each loaded value is used four times. */
static inline void te_tile_4x4(const float *const *columns, const float *w, uint32_t count, float *sums) {
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
static inline void te_tile_1x4(const float *a, const float *w, uint32_t count, float *sums) {
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
static inline void te_tile_4x1(const float *const *columns, const float *w, uint32_t count, float *sums) {
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

static inline float te_tile_1x1(const float *a, const float *w, uint32_t count) {
    float sum = 0.0f;
    for (const float *const end = w + count; w != end; w++) sum += *a++ * *w;
    return sum;
}

/* Output channels first .. first + count - 1 of `pixels` (1 or 4) pixels, from their columns; y: the first pixel. */
static inline void te_outputs_of_columns(const te_outputs_f32 *p, const float *const *columns,
                                         uint32_t pixels, uint32_t products, uint32_t first, uint32_t count,
                                         float *y) {
    const float *w = p->weights + first * products;
    const float low = p->min, high = p->max;
    float sums[16];
    uint32_t o = first;
    for (; o + 4 <= first + count; o += 4, w += 4 * products) {
        const float *const bias = p->bias + o;
        if (pixels == 4)
            te_tile_4x4(columns, w, products, sums);
        else
            te_tile_1x4(columns[0], w, products, sums);
        for (uint32_t i = 0; i < pixels; i++)
            for (uint32_t j = 0; j < 4; j++)
                y[i * p->channels + o + j] = te_clamp_f32(sums[4 * i + j] + bias[j], low, high);
    }
    for (; o < first + count; o++, w += products) {
        if (pixels == 4)
            te_tile_4x1(columns, w, products, sums);
        else
            sums[0] = te_tile_1x1(columns[0], w, products);
        for (uint32_t i = 0; i < pixels; i++)
            y[i * p->channels + o] = te_clamp_f32(sums[i] + p->bias[o], low, high);
    }
}

#endif
