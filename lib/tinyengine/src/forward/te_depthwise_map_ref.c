/* Portable twins of te_depthwise_map_dsp.S: the same words, the sums one by one. */
#include "tinyengine/te_depthwise_map.h"

#include "../support/te_depthwise_plane.h"

#if !TE_DSP

typedef te_depthwise_shape shape;

static int32_t pixel(const te_depthwise_map_args *a, const shape *k, const int8_t *x, int32_t column) {
    return column < 0 || column >= k->width ? 0 : x[column * a->pitch] - a->zero;
}

static void stage_row(const te_depthwise_map_args *a, const shape *k, const int8_t *x, uint32_t *to) {
    for (int32_t odd = 0; odd < k->by; odd++) {
        const te_depthwise_plane p = te_depthwise_plane_of(k, odd);
        for (int32_t i = 0; i < p.words; i++) {
            const int32_t column = (2 * i - p.shifted) * k->by + odd;
            *to++ = (uint32_t)pixel(a, k, x, column) + ((uint32_t)pixel(a, k, x, column + k->by) << 21);
        }
    }
}

static int32_t low(uint32_t word) {
    return (int32_t)(word << 11) >> 11;
}

static int32_t high(uint32_t word) {
    return (int32_t)(word - (uint32_t)low(word)) >> 21;
}

/* The pixel of `column`, which may lie outside, of a staged row. */
static int32_t staged_pixel(const shape *k, const uint32_t *row, int32_t column) {
    if (column < 0 || column >= k->width) return 0;
    const int32_t odd = k->by == 2 ? column & 1 : 0;
    const te_depthwise_plane p = te_depthwise_plane_of(k, odd);
    const int32_t index = column / k->by + p.shifted;
    const uint32_t word = row[(odd ? te_depthwise_plane_of(k, 0).words : 0) + index / 2];
    return index & 1 ? high(word) : low(word);
}

static int32_t sum_of(const shape *k, const uint32_t *staged, int32_t rows, const int8_t *packed, int32_t row,
                      int32_t column) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < k->kernel; ky++) {
        const int32_t r = row + ky;
        if (r < 0 || r >= rows) continue;
        for (int32_t kx = 0; kx < k->kernel; kx++)
            sum += staged_pixel(k, staged + r * te_depthwise_row_words(k), column + kx) *
                   packed[ky * k->kernel + kx];
    }
    return sum;
}

static void run(const te_depthwise_map_args *a, const shape *k) {
    const int32_t words = te_depthwise_row_words(k), rows = (int32_t)(a->staged_end - a->staged) / words;
    for (uint32_t c = 0; c < a->channels; c++) {
        const int8_t *x = a->x + c, *packed = a->packed + (int32_t)c * k->kernel * k->kernel;
        int8_t *y = a->y + c;
        for (uint32_t *to = a->staged; to != a->staged_end; to += words, x += a->line) {
            if (to == a->first_end) x -= a->wrapped;
            stage_row(a, k, x, to);
        }
        for (int32_t r = 0; r < (int32_t)a->rows; r++, y += a->out_line)
            for (int32_t i = 0; i < k->outputs; i++) {
                const int32_t sum =
                    sum_of(k, a->staged, rows, packed, a->top + r * k->by, i * k->by - k->pad);
                y[i * a->pitch] = te_depthwise_map_round(a, k, c, sum);
            }
    }
}

#define TE_DEPTHWISE_RUN(name, ...)                                                                          \
    void name(const te_depthwise_map_args *args) {                                                           \
        static const shape k = {__VA_ARGS__};                                                                \
        run(args, &k);                                                                                       \
    }
TE_DEPTHWISE_MAPS(TE_DEPTHWISE_SHAPES_ONE, TE_DEPTHWISE_SHAPES_BY_2)

#endif
