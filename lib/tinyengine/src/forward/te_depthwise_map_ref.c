/* Portable twins of te_depthwise_map_dsp.S: the same words, the sums one by one. */
#include "tinyengine/te_depthwise_map.h"

#include "../support/te_requant_fixed.h"

#if !TE_DSP

/* `by` pixels from output to output; first and count of the words of each plane (by 2: even and odd pixels)
 * follow. */
typedef struct shape {
    int32_t kernel, width, outputs, by, pad, fast;
} shape;

/* A word of a row begins with pixel 2 * i - 1, not 2 * i, of its plane, if an even number of taps meets an
 * odd number of pixels of the padding in front. */
typedef struct plane {
    int32_t shifted, words;
} plane;

static plane plane_of(const shape *k, int32_t odd) {
    const int32_t first = k->by == 1 ? 0 : (k->pad + odd) & 1; /* tap that meets it first */
    const int32_t padded = (k->pad + odd - first) / k->by, taps = (k->kernel - first + k->by - 1) / k->by;
    const int32_t pixels = k->by == 1 ? k->width : (k->width + 1 - odd) / 2;
    plane p;
    p.shifted = padded & 1 && !(taps & 1);
    p.words = k->by == 1 || !odd || k->width > 1 ? (pixels + p.shifted + 1) / 2 : 0;
    return p;
}

static int32_t row_words(const shape *k) {
    return plane_of(k, 0).words + (k->by == 2 ? plane_of(k, 1).words : 0);
}

static int32_t pixel(const te_depthwise_map_args *a, const shape *k, const int8_t *x, int32_t column) {
    return column < 0 || column >= k->width ? 0 : x[column * a->pitch] - a->zero;
}

static void stage_row(const te_depthwise_map_args *a, const shape *k, const int8_t *x, uint32_t *to) {
    for (int32_t odd = 0; odd < k->by; odd++) {
        const plane p = plane_of(k, odd);
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
    const plane p = plane_of(k, odd);
    const int32_t index = column / k->by + p.shifted;
    const uint32_t word = row[(odd ? plane_of(k, 0).words : 0) + index / 2];
    return index & 1 ? high(word) : low(word);
}

static int32_t sum_of(const shape *k, const uint32_t *staged, int32_t rows, const int8_t *packed, int32_t row,
                      int32_t column, int32_t sum) {
    for (int32_t ky = 0; ky < k->kernel; ky++) {
        const int32_t r = row + ky;
        if (r < 0 || r >= rows) continue;
        for (int32_t kx = 0; kx < k->kernel; kx++)
            sum += staged_pixel(k, staged + r * row_words(k), column + kx) * packed[ky * k->kernel + kx];
    }
    return sum;
}

/* The constants of one channel. */
typedef struct channel {
    int32_t bias, m, c, e;
} channel;

static channel channel_of(const te_depthwise_map_args *a, const shape *k, uint32_t index) {
    const uint32_t first = (uint32_t)a->constants[2 * index], e = k->fast ? 0 : first >> 24;
    const channel ch = {(int32_t)(first << 8) >> 8, a->constants[2 * index + 1],
                        (int32_t)((uint32_t)(2 * a->out_zero + 1) << e) >> 1, (int32_t)e};
    return ch;
}

static void run(const te_depthwise_map_args *a, const shape *k) {
    const int32_t words = row_words(k), rows = (int32_t)(a->staged_end - a->staged) / words;
    for (uint32_t c = 0; c < a->channels; c++) {
        const channel ch = channel_of(a, k, c);
        const int8_t *x = a->x + c, *packed = a->packed + (int32_t)c * k->kernel * k->kernel;
        int8_t *y = a->y + c;
        for (uint32_t *to = a->staged; to != a->staged_end; to += words, x += a->line) {
            if (to == a->first_end) x -= a->wrapped;
            stage_row(a, k, x, to);
        }
        for (int32_t r = 0; r < (int32_t)a->rows; r++, y += a->out_line)
            for (int32_t i = 0; i < k->outputs; i++) {
                const int32_t sum =
                    sum_of(k, a->staged, rows, packed, a->top + r * k->by, i * k->by - k->pad, ch.bias);
                y[i * a->pitch] = (int8_t)(k->fast ? te_round_fast(sum, ch.m, a->out_zero)
                                                   : te_round_exact(2 * sum, ch.m, ch.c, ch.e));
            }
    }
}

#define RUN(name, ...)                                                                                       \
    void name(const te_depthwise_map_args *args) {                                                           \
        static const shape k = {__VA_ARGS__};                                                                \
        run(args, &k);                                                                                       \
    }
#define ONE(k, w)                                                                                            \
    RUN(te_depthwise_map_##k##_##w, k, w, w, 1, (k - 1) / 2, 0)                                              \
    RUN(te_depthwise_map_##k##_##w##_fast, k, w, w, 1, (k - 1) / 2, 1)
#define BY_2(k, w, p)                                                                                        \
    RUN(te_depthwise_map_##k##_##w##_by_2_##p, k, w, (w + 1) / 2, 2, p, 0)                                   \
    RUN(te_depthwise_map_##k##_##w##_by_2_##p##_fast, k, w, (w + 1) / 2, 2, p, 1)
TE_DEPTHWISE_MAPS(ONE, BY_2)

#else
typedef int te_depthwise_map_ref_is_empty; /* ISO C wants a declaration */
#endif
