/* Columns and pixels of te_conv_vectors.h; portable twins of te_conv_vectors_mve.S. */
#include "tinyengine/te_conv_vectors.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"
#include "tinyengine/te_rows.h"

#include <string.h>

typedef te_conv_fast_params params;

typedef struct kernel {
    te_conv_pairs_fn *pairs, *vector; /* `vector`: of columns with one vector per pixel */
    uint32_t round_words;
} kernel;

static inline uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Outputs of `count` pixels, of which two neighbours lie `second` bytes apart: pair by pair. */
static void run_pairs(te_conv_pairs_fn *pairs, te_conv_vectors_args *args, uint32_t count) {
    args->pairs = count / 2;
    if (args->pairs) pairs(args);
    if (count % 2 == 0) return;
    te_conv_vectors_args last = *args; /* an odd last pixel is its own partner */
    last.x += last.pairs * last.next;
    last.y += 2 * last.pairs * last.channels;
    last.second = last.channels = 0;
    last.pairs = 1;
    pairs(&last);
}

/* The same of all channels: whole quads, and the last four once more. */
static void run_channels(const params *p, const kernel *k, te_conv_pairs_fn *pairs, const int8_t *x,
                         uint32_t second, uint32_t count, int8_t *y) {
    const uint32_t channels = p->out.c, vectors = p->groups / 2, quads = channels / 4;
    te_conv_vectors_args args = {x, second,     2 * second, y,     channels,
                                 0, p->weights, vectors,    quads, p->out_zero};
    run_pairs(pairs, &args, count);
    if (channels % 4 == 0) return;
    args.y = y + channels - 4;
    args.weights += quads * (16 * vectors + 4 + k->round_words);
    args.quads = 1;
    run_pairs(pairs, &args, count);
}

static void run_columns(const params *p, const kernel *k, int8_t *columns, uint32_t count, int8_t *y) {
    const uint32_t bytes = 8u * p->groups;
    if (bytes > 16) {
        run_channels(p, k, k->pairs, columns, bytes, count, y);
        return;
    }
    if (count % 2) memcpy(columns + 16 * count, columns + 16 * (count - 1), 16); /* its own partner */
    run_channels(p, k, k->vector, columns, bytes, count, y);
}

/* The pixels of a row. */
static void run_pixels(const params *p, const kernel *k, const int8_t *x, int8_t *y, int8_t *scratch) {
    const uint32_t bytes = p->run_bytes, reach = 8u * p->groups, channels = p->out.c, block = p->block;
    uint32_t left = p->out.w;
    if (block == 2 && channels % 4 == 0) {
        const uint32_t beyond =
            bytes < reach ? (reach - 1) / bytes : 0; /* pixels that reach beyond the row */
        const uint32_t direct = left > beyond ? (left - beyond) & (beyond ? ~1u : ~0u) : 0;
        if (direct) run_channels(p, k, k->pairs, x, bytes, direct, y);
        left -= direct, x += direct * bytes, y += direct * channels;
    }
    while (left) {
        const uint32_t count = least(block, left);
        if (block > 2 || (left - count + 1) * bytes < reach) {
            te_conv_gather_vectors(scratch, reach, x, bytes, count, bytes);
            if (block > 2)
                run_columns(p, k, scratch, count, y);
            else
                run_channels(p, k, k->pairs, scratch, reach, count, y);
        } else {
            run_channels(p, k, k->pairs, x, bytes, count, y);
        }
        left -= count, x += count * bytes, y += count * channels;
    }
}

#if TE_MVE
#include <arm_mve.h>

TE_INLINE void copy(int8_t *to, const int8_t *x, uint32_t bytes) {
    for (; bytes > 16; bytes -= 16, to += 16, x += 16) vst1q_s8(to, vld1q_s8(x));
    const mve_pred16_t left = vctp8q(bytes);
    vstrbq_p_s8(to, vldrbq_z_s8(x, left), left);
}

TE_INLINE void fill(int8_t *to, int32_t value, uint32_t bytes) {
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (; bytes > 16; bytes -= 16, to += 16) vst1q_s8(to, all);
    vstrbq_p_s8(to, all, vctp8q(bytes));
}
#else
static inline void copy(int8_t *to, const int8_t *x, uint32_t bytes) {
    memcpy(to, x, bytes);
}

static inline void fill(int8_t *to, int32_t value, uint32_t bytes) {
    memset(to, value, bytes);
}
#endif

/* The run of a row that begins at byte `at`, with the zero point beyond the row's ends. */
TE_INLINE void clip(const params *p, const int8_t *row, int32_t at, int8_t *to) {
    const int32_t bytes = p->run_bytes, end = p->in.w * p->in.c - at;
    const int32_t first = at < 0 ? -at : 0, last = end < bytes ? end : bytes;
    fill(to, p->in_zero, (uint32_t)bytes);
    if (first < last) copy(to + first, row + (at + first), (uint32_t)(last - first));
}

/* Pixels of an output row whose runs begin at byte `at` of their row: those that begin before it, then those inside. */
typedef struct pixels_of_row {
    int32_t at;
    uint32_t before, inside, count;
} pixels_of_row;

static pixels_of_row divide(const params *p, int32_t at, uint32_t count) {
    const int32_t step = p->window.sw * p->in.c, room = p->in.w * p->in.c - p->run_bytes;
    pixels_of_row s = {at, 0, 0, count};
    if (at < 0) s.before = least(count, (uint32_t)((step - 1 - at) / step));
    at += (int32_t)s.before * step;
    if (at <= room) s.inside = least(count - s.before, (uint32_t)((room - at) / step) + 1);
    return s;
}

#define NARROW                                                                                               \
    64 /* bytes of a row that is copied with its padding: that is less than to clip runs one by one */

/* Their runs of one row (null: outside). */
static void gather_run(const params *p, const int8_t *row, const pixels_of_row *s, int8_t *to) {
    const uint32_t pixel = 8u * p->groups, bytes = p->run_bytes, step = (uint32_t)p->window.sw * p->in.c;
    uint32_t i = 0;
    int32_t at = s->at;
    if (!row) {
        for (; i < s->count; i++, to += pixel) fill(to, p->in_zero, bytes);
        return;
    }
    const uint32_t left = (uint32_t)p->window.pad_left * p->in.c, width = (uint32_t)p->in.w * p->in.c;
    const uint32_t end = (uint32_t)(at + (int32_t)left) + (s->count - 1) * step + bytes;
    if (s->inside < s->count && left + width <= NARROW && end <= NARROW) {
        int8_t padded[NARROW];
        fill(padded, p->in_zero, NARROW);
        copy(padded + left, row, width);
        te_conv_gather_vectors(to, pixel, padded + left + at, step, s->count, bytes);
        return;
    }
    for (; i < s->before; i++, at += (int32_t)step, to += pixel) clip(p, row, at, to);
    if (s->inside) te_conv_gather_vectors(to, pixel, row + at, step, s->inside, bytes);
    i += s->inside, at += (int32_t)(s->inside * step), to += s->inside * pixel;
    for (; i < s->count; i++, at += (int32_t)step, to += pixel) clip(p, row, at, to);
}

/* Columns of pixels first .. first + count - 1 of the output flattened from row `row` on. */
static void gather_block(const params *p, const te_row_view *x, uint32_t row, uint32_t first, uint32_t count,
                         int8_t *columns) {
    const te_window *k = &p->window;
    const int32_t taps = p->n_runs == k->kh ? 1 : k->kw; /* runs per kernel row */
    int32_t oy = (int32_t)(row + first / p->out.w), ox = (int32_t)(first % p->out.w);
    for (uint32_t here; count; count -= here, columns += here * 8u * p->groups, ox = 0, oy++) {
        here = least(count, (uint32_t)(p->out.w - ox));
        for (int32_t kx = 0; kx < taps; kx++) {
            const pixels_of_row s = divide(p, (ox * k->sw - k->pad_left + kx * k->dw) * p->in.c, here);
            int32_t iy = oy * k->sh - k->pad_top;
            int8_t *to = columns + kx * p->run_bytes;
            for (int32_t ky = 0; ky < k->kh; ky++, iy += k->dh, to += taps * p->run_bytes)
                gather_run(p, iy >= 0 && iy < p->in.h ? te_row_of(x, (uint32_t)iy) : 0, &s, to);
        }
    }
}

static int by_pixels(const params *p) {
    const te_window *k = &p->window;
    return k->kh == 1 && k->kw == 1 && k->sh == 1 && k->sw == 1 && !k->pad_top && !k->pad_left;
}

static void run(const params *p, const te_row_view *x, int8_t *y, uint32_t row, uint32_t rows, void *scratch,
                const kernel *k) {
    const uint32_t pixels = rows * p->out.w;
    if (by_pixels(p)) {
        for (uint32_t i = 0; i < rows; i++)
            run_pixels(p, k, te_row_of(x, row + i), y + i * p->out.w * p->out.c, scratch);
    } else {
        for (uint32_t first = 0; first < pixels; first += p->block) {
            const uint32_t count = least(pixels - first, p->block);
            gather_block(p, x, row, first, count, scratch);
            run_columns(p, k, scratch, count, y + first * p->out.c);
        }
    }
    te_clamp_s8(y, pixels * p->out.c, p->min, p->max);
}

#if !TE_MVE /* columns need no kernel of their own */
#define te_conv_vector_fast te_conv_pairs_fast
#define te_conv_vector_exact te_conv_pairs_exact
#define te_conv_vector_wide te_conv_pairs_wide
#endif

#define KERNEL(name, pairs, vector, round_words)                                                             \
    void name(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row, uint32_t rows,    \
              void *scratch) {                                                                               \
        const kernel k = {pairs, vector, round_words};                                                       \
        run(p, x, y, row, rows, scratch, &k);                                                                \
    }
KERNEL(te_conv_vectors_fast, te_conv_pairs_fast, te_conv_vector_fast, TE_CONV_VECTORS_FAST)
KERNEL(te_conv_vectors_exact, te_conv_pairs_exact, te_conv_vector_exact, TE_CONV_VECTORS_EXACT)
KERNEL(te_conv_vectors_wide, te_conv_pairs_wide, te_conv_vector_wide, TE_CONV_VECTORS_WIDE)

#if !TE_MVE

void te_conv_gather_vectors(int8_t *to, uint32_t apart, const int8_t *x, uint32_t step, uint32_t count,
                            uint32_t bytes) {
    for (; count; count--, to += apart, x += step) memcpy(to, x, bytes);
}

typedef int32_t round_fn(int32_t acc, const int32_t *constants, int32_t zero);

static int32_t round_fast(int32_t acc, const int32_t *r, int32_t zero) {
    return te_round_fast((int32_t)((uint32_t)acc << 1), r[0], zero);
}

static int32_t round_exact(int32_t acc, const int32_t *r, int32_t zero) {
    const int32_t e = -r[4];
    return te_round_exact((int32_t)((uint32_t)acc << 1), r[0], (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)),
                          e);
}

static int32_t round_wide(int32_t acc, const int32_t *r, int32_t zero) {
    const int32_t e = -r[12], c = e ? (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)) : zero;
    return te_round_wide(acc, r[4], c, e, r[0] + 1, r[8]);
}

/* The first vector's weights come first, then the last's. */
static int32_t dot(const int8_t *x, const int8_t *w, uint32_t vectors, int32_t acc) {
    for (uint32_t v = 0; v < vectors; v++, w += 64)
        for (uint32_t k = 0; k < 16; k++) acc += x[16 * (v ? vectors - v : 0) + k] * w[k];
    return acc;
}

/* One pair. */
static void run_pair(const te_conv_vectors_args *a, const int8_t *x, int8_t *y, uint32_t round_words,
                     round_fn *round) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++, w += 4 + 16 * a->vectors + round_words)
        for (uint32_t c = 0; c < 4; c++) {
            const int8_t *weights = (const int8_t *)w + 16 * c;
            const int32_t *constants = (const int32_t *)(w + 16 * a->vectors) + c;
            for (uint32_t i = 0; i < 2; i++) {
                const int32_t sum = dot(x + i * a->second, weights, a->vectors, constants[0]);
                y[i * a->channels + 4 * q + c] = (int8_t)round(sum, constants + 4, a->zero);
            }
        }
}

#define PAIRS(name, round_words, round)                                                                      \
    void name(const te_conv_vectors_args *a) {                                                               \
        for (uint32_t i = 0; i < a->pairs; i++)                                                              \
            run_pair(a, a->x + i * a->next, a->y + 2 * i * a->channels, round_words, round);                 \
    }
PAIRS(te_conv_pairs_fast, TE_CONV_VECTORS_FAST, round_fast)
PAIRS(te_conv_pairs_exact, TE_CONV_VECTORS_EXACT, round_exact)
PAIRS(te_conv_pairs_wide, TE_CONV_VECTORS_WIDE, round_wide)

#endif
