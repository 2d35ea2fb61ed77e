#include "tinyengine/te_scalar.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_plane.h"
#include "../support/te_requant_fixed.h"
#include "../support/te_taps.h"

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(TE_PORTABLE)
#define TE_ROUND_FOUR_ASSEMBLY 1
#else
#define TE_ROUND_FOUR_ASSEMBLY 0
#endif

/* What te_scalar.h says of an output. */
enum { START, M, C, E, QUAD };

static inline int8_t rounded(int32_t sum, const int32_t *output) {
    return (int8_t)te_round_exact(2 * sum, output[M], output[C], output[E]);
}

/* ---- products with four filters ------------------------------------------------------------------------------------ */

#if defined(__riscv) && __riscv_xlen == 32 && !defined(TE_PORTABLE)
#define TE_TWO_PIXELS 1
#else
#define TE_TWO_PIXELS 0
#endif

/* Adds the products of `count` inputs and of filters that are `count` apart. */
#if (defined(__ARM_ARCH_ISA_THUMB) && !defined(TE_PORTABLE)) || TE_TWO_PIXELS
/* te_scalar_arm.S, te_scalar_riscv.S */
void te_dot_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[4]);
#else
typedef struct four {
    const int8_t *x, *a, *b, *c, *d;
    int32_t sum_a, sum_b, sum_c, sum_d;
} four;

TE_INLINE void add_input(four *f) {
    const int32_t value = *f->x++;
    f->sum_a += value * *f->a++;
    f->sum_b += value * *f->b++;
    f->sum_c += value * *f->c++;
    f->sum_d += value * *f->d++;
}

static void te_dot_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[4]) {
    const int8_t *fours = x + count / 4 * 4, *end = x + count;
    four f = {x, w, w + count, w + 2 * count, w + 3 * count, sums[0], sums[1], sums[2], sums[3]};
    while (f.x != fours) {
        add_input(&f);
        add_input(&f);
        add_input(&f);
        add_input(&f);
    }
    while (f.x != end) add_input(&f);
    sums[0] = f.sum_a, sums[1] = f.sum_b, sums[2] = f.sum_c, sums[3] = f.sum_d;
}
#endif

/* The same for two pixels, whose inputs are `count` apart: four sums of the first, then those of the second. */
#if TE_TWO_PIXELS
void te_dot_two_by_four(const int8_t *x, const int8_t *w, uint32_t count,
                        int32_t sums[8]); /* te_scalar_riscv.S */
#else
static void te_dot_two_by_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[8]) {
    te_dot_four(x, w, count, sums);
    te_dot_four(x + count, w, count, sums + 4);
}
#endif

static int32_t dot(const int8_t *x, const int8_t *w, uint32_t count, int32_t sum) {
    for (uint32_t i = 0; i < count; i++) sum += x[i] * w[i];
    return sum;
}

#if TE_ROUND_FOUR_ASSEMBLY
void te_round_four(const int32_t sums[4], const int32_t *outputs, int8_t *y); /* te_scalar_arm.S */
#else
static inline void te_round_four(const int32_t sums[4], const int32_t *outputs, int8_t *y) {
    for (uint32_t i = 0; i < 4; i++) y[i] = rounded(sums[i], outputs + i * QUAD);
}
#endif

/* One pixel's outputs. */
static void outputs_of(const int8_t *x, const int8_t *w, uint32_t count, const int32_t *output,
                       uint32_t outputs, int8_t *y) {
    int32_t sums[4];
    for (; outputs >= 4; outputs -= 4, w += 4 * count, output += 4 * QUAD, y += 4) {
        for (uint32_t i = 0; i < 4; i++) sums[i] = output[i * QUAD + START];
        te_dot_four(x, w, count, sums);
        te_round_four(sums, output, y);
    }
    for (; outputs; outputs--, w += count, output += QUAD)
        *y++ = rounded(dot(x, w, count, output[START]), output);
}

/* Those of two neighbours. */
static void outputs_of_two(const int8_t *x, const te_scalar_params *p, uint32_t count, int8_t *y) {
    const int8_t *w = p->weights;
    const int32_t *output = p->outputs;
    int32_t sums[8];
    uint32_t outputs = p->out.c;
    for (; outputs >= 4; outputs -= 4, w += 4 * count, output += 4 * QUAD, y += 4) {
        for (uint32_t i = 0; i < 4; i++) sums[i] = sums[i + 4] = output[i * QUAD + START];
        te_dot_two_by_four(x, w, count, sums);
        te_round_four(sums, output, y);
        te_round_four(sums + 4, output, y + p->out.c);
    }
    outputs_of(x, w, count, output, outputs, y);
    outputs_of(x + count, w, count, output, outputs, y + p->out.c);
}

/* ---- layers -------------------------------------------------------------------------------------------------------- */

static inline int8_t *fill(int8_t *to, int32_t value, int32_t count) {
    for (; count > 0; count--) *to++ = (int8_t)value;
    return to;
}

/* The values under the window of output (oy, ox), in the order of a filter's weights. */
static void gather_window(const te_scalar_params *p, const te_taps *v, const te_taps *h, const int8_t *x,
                          int8_t *to) {
    const te_window *k = &p->window;
    const int32_t channels = p->in.c, line = k->kw * channels, row_bytes = p->in.w * channels;
    const int32_t step = (k->dw - 1) * channels;
    const int8_t *row = x + (h->origin + h->first * k->dw) * channels;
    to = fill(to, p->in_zero, v->first * line);
    for (int32_t ky = v->first; ky < v->end; ky++) {
        const int8_t *from = row + (v->origin + ky * k->dh) * row_bytes;
        to = fill(to, p->in_zero, h->first * channels);
        for (int32_t kx = h->first; kx < h->end; kx++, from += step)
            for (int32_t c = channels; c; c--) *to++ = *from++;
        to = fill(to, p->in_zero, (k->kw - h->end) * channels);
    }
    fill(to, p->in_zero, (k->kh - v->end) * line);
}

/* Inlined with column = NULL for windows of one pixel, and with the pixels that are computed at once, 1 or 2. */
TE_INLINE void convolve(const te_scalar_params *p, const int8_t *x, int8_t *y, int8_t *column, int32_t most) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, count = channels * k->kh * k->kw;
    const int32_t flat = !column && k->sh == 1 && k->sw == 1; /* all pixels are one row */
    const int32_t rows = flat ? 1 : p->out.h, columns = flat ? p->out.h * p->out.w : p->out.w;
    int8_t *out = y;
    for (int32_t oy = 0; oy < rows; oy++) {
        const te_taps v = te_taps_of(oy, k->sh, k->pad_top, k->kh, k->dh, p->in.h);
        for (int32_t ox = 0, pixels; ox < columns; ox += pixels, out += pixels * p->out.c) {
            const int8_t *values = x + (uint32_t)(oy * k->sh * p->in.w + ox * k->sw) * channels;
            pixels = (flat || column) && columns - ox >= most ? most : 1;
            if (column) {
                for (int32_t i = 0; i < pixels; i++) {
                    const te_taps h = te_taps_of(ox + i, k->sw, k->pad_left, k->kw, k->dw, p->in.w);
                    gather_window(p, &v, &h, x, column + (uint32_t)i * count);
                }
                values = column;
            }
            if (pixels == 2)
                outputs_of_two(values, p, count, out);
            else
                outputs_of(values, p->weights, count, p->outputs, p->out.c, out);
        }
    }
    te_clamp_s8(y, (uint32_t)(out - y), p->min, p->max);
}

void te_conv_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch) {
    convolve(p, x, y, scratch, 1);
}

void te_conv_pairs_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch) {
    convolve(p, x, y, scratch, 2);
}

void te_pointwise_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y) {
    convolve(p, x, y, NULL, TE_TWO_PIXELS ? 2 : 1);
}

/* Outputs that are computed at once: neighbours, `step` values apart in the plane; or one, if step = 0. */
typedef struct pair {
    int32_t a, b;
} pair;

TE_INLINE void add_tap(pair *sums, const uint8_t *value, int32_t step, int32_t tap) {
    sums->a += value[0] * tap;
    if (step) sums->b += value[step] * tap;
}

/* Products of 3x3 windows. */
TE_INLINE pair windows_3x3(const uint8_t *row, int32_t step, int32_t columns, const int32_t *tap,
                           int32_t start) {
    pair sums = {start, start};
    add_tap(&sums, row, step, tap[0]);
    add_tap(&sums, row + 1, step, tap[1]);
    add_tap(&sums, row + 2, step, tap[2]);
    row += columns;
    add_tap(&sums, row, step, tap[3]);
    add_tap(&sums, row + 1, step, tap[4]);
    add_tap(&sums, row + 2, step, tap[5]);
    row += columns;
    add_tap(&sums, row, step, tap[6]);
    add_tap(&sums, row + 1, step, tap[7]);
    add_tap(&sums, row + 2, step, tap[8]);
    return sums;
}

/* Products of any windows. */
TE_INLINE pair windows_of(const te_window *k, const uint8_t *row, int32_t step, int32_t columns,
                          const int32_t *tap, int32_t start) {
    const int32_t kw = k->kw;
    pair sums = {start, start};
    for (int32_t ky = k->kh; ky; ky--, row += columns, tap += kw)
        for (int32_t kx = 0; kx < kw; kx++) add_tap(&sums, row + kx, step, tap[kx]);
    return sums;
}

/* What all outputs of a channel need. The plane's values are 128 larger than they are: unsigned bytes, which Armv6-M loads
 * with an offset, as it does words. */
typedef struct channel {
    const uint8_t *plane;
    int32_t columns, start, m, c, e;
    const int32_t *taps;
} channel;

/* Inlined with a constant `small` (3x3) and sw = 1, the most frequent, or p's. */
TE_INLINE void channel_outputs(const te_scalar_params *p, const channel *of, int8_t *y, int32_t small,
                               int32_t sw) {
    const te_window *k = &p->window;
    const int32_t *taps = of->taps;
    const int32_t columns = of->columns, start = of->start, m = of->m, c = of->c, e = of->e,
                  channels = p->out.c;
    const uint8_t *first = of->plane;
    for (int32_t oy = p->out.h; oy; oy--, first += k->sh * columns) {
        const uint8_t *row = first;
        int32_t left = p->out.w;
        for (; left > 1; left -= 2, row += 2 * sw) {
            const pair sums = small ? windows_3x3(row, sw, columns, taps, start)
                                    : windows_of(k, row, sw, columns, taps, start);
            *y = (int8_t)te_round_exact(2 * sums.a, m, c, e);
            y += channels;
            *y = (int8_t)te_round_exact(2 * sums.b, m, c, e);
            y += channels;
        }
        if (!left) continue;
        const pair last =
            small ? windows_3x3(row, 0, columns, taps, start) : windows_of(k, row, 0, columns, taps, start);
        *y = (int8_t)te_round_exact(2 * last.a, m, c, e);
        y += channels;
    }
}

void te_depthwise_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_window *k = &p->window;
    const te_plane plane = te_plane_of(p->in, p->out, k);
    const int32_t count = k->kh * k->kw, small = k->kh == 3 && k->kw == 3;
    const int8_t *w = p->weights;
    int32_t taps[TE_SCALAR_TAPS];
    for (int32_t c = 0; c < p->out.c; c++) {
        const int32_t *output = p->outputs + c * QUAD;
        channel of = {scratch, plane.columns, output[START], output[M], output[C], output[E], taps};
        te_plane_gather(&plane, x + c, p->in_zero, 0x80, scratch);
        for (int32_t i = 0; i < count; i++) {
            taps[i] = *w++;
            of.start -= 128 * taps[i];
        }
        if (!small)
            channel_outputs(p, &of, y + c, 0, k->sw);
        else if (k->sw == 1)
            channel_outputs(p, &of, y + c, 1, 1);
        else
            channel_outputs(p, &of, y + c, 1, k->sw);
    }
    te_clamp_s8(y, (uint32_t)p->out.h * p->out.w * p->out.c, p->min, p->max);
}

void te_dense_scalar_s8(const te_dense_scalar_params *p, const int8_t *x, int8_t *y) {
    int8_t *out = y;
    for (uint32_t row = 0; row < p->rows; row++, x += p->in) {
        const int8_t *w = p->weights;
        const int32_t *output = p->outputs;
        int32_t sums[4];
        for (uint32_t o = 0, made; o < p->out; o += made, w += made * p->in) {
            made = p->out - o >= 4 ? 4 : 1;
            for (uint32_t i = 0; i < made; i++) sums[i] = output[i * QUAD + START];
            if (made == 4)
                te_dot_four(x, w, p->in, sums);
            else
                sums[0] = dot(x, w, p->in, sums[0]);
            for (uint32_t i = 0; i < made; i++, output += QUAD)
                *out++ = (int8_t)te_round_once(sums[i], output[M], output[C], output[E]);
        }
    }
    te_clamp_s8(y, p->rows * p->out, p->min, p->max);
}
