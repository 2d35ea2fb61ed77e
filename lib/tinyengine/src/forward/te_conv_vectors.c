/* Columns and pixels of te_conv_vectors.h, pair by pair; portable twins of te_conv_vectors_mve.S. */
#include "tinyengine/te_conv_vectors.h"

#include "../support/te_requant_fixed.h"

#include <string.h>

#if TE_MVE
#include <arm_mve.h>

/* Two times `bytes` to `to` and `apart` bytes behind it. */
TE_INLINE void copy_two(int8_t *to, uint32_t apart, const int8_t *x0, const int8_t *x1, uint32_t bytes) {
    for (; bytes > 16; bytes -= 16, to += 16, x0 += 16, x1 += 16) {
        vst1q_s8(to, vld1q_s8(x0));
        vst1q_s8(to + apart, vld1q_s8(x1));
    }
    const mve_pred16_t left = vctp8q(bytes);
    vstrbq_p_s8(to, vldrbq_z_s8(x0, left), left);
    vstrbq_p_s8(to + apart, vldrbq_z_s8(x1, left), left);
}
#else
static inline void copy_two(int8_t *to, uint32_t apart, const int8_t *x0, const int8_t *x1, uint32_t bytes) {
    memcpy(to, x0, bytes);
    memcpy(to + apart, x1, bytes);
}
#endif

void te_conv_gather_vectors(const te_conv_gather_args *a) {
    const uint32_t bytes = 4 * a->run_groups + a->run_tail, pixel = 8 * a->groups;
    const int8_t *const base = a->base;
    te_conv_run *const end = a->runs + a->n_runs;
    int8_t *column = (int8_t *)a->columns;
    for (uint32_t pair = a->pairs; pair; pair--, column += 2 * pixel + 8) {
        int8_t *to = column;
        for (te_conv_run *run = a->runs; run != end; run++, to += bytes) {
            const int32_t p0 = run->p0, p1 = run->p1, step = run->step;
            copy_two(to, pixel, base + p0, base + p1, bytes);
            run->p0 = p0 + step;
            run->p1 = p1 + step;
        }
    }
}

/* All channels of a layer: whole quads, and the last four once more. */
typedef struct layer {
    te_conv_vectors_args whole, rest;
    uint32_t last; /* where the rest begins; 0: there is none */
} layer;

static layer layer_of(const te_conv_tiles_args *a, uint32_t round_words) {
    const uint32_t vectors = a->groups / 2, quads = a->channels / 4;
    const uint32_t *behind = a->weights + quads * (4 + 16 * vectors + round_words);
    const layer all = {{a->weights, vectors, quads, a->zero},
                       {behind, vectors, 1, a->zero},
                       a->channels % 4 ? a->channels - 4 : 0};
    return all;
}

TE_INLINE void run_pair(const layer *l, te_conv_pair_fn *pair, const int8_t *x0, const int8_t *x1, int8_t *y0,
                        int8_t *y1) {
    pair(&l->whole, x0, x1, y0, y1);
    if (l->last) pair(&l->rest, x0, x1, y0 + l->last, y1 + l->last);
}

TE_INLINE void columns(const te_conv_tiles_args *a, te_conv_pair_fn *pair, uint32_t round_words) {
    const layer l = layer_of(a, round_words);
    const uint32_t pixel = 8 * a->groups;
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels; /* last whole pair */
    const int8_t *column = (const int8_t *)a->columns;
    for (uint32_t i = 0; i < a->pairs + a->odd; i++, column += 2 * pixel + 8) {
        const int32_t *to = (const int32_t *)(const void *)(column + 2 * pixel);
        run_pair(&l, pair, column, column + pixel, last + to[0], last + to[1]);
    }
}

TE_INLINE void pixels(const te_conv_tiles_args *a, te_conv_pair_fn *pair, uint32_t round_words) {
    const layer l = layer_of(a, round_words);
    const uint32_t bytes = a->odd, reach = 8 * a->groups;
    const int8_t *x = (const int8_t *)a->columns, *const end = x + a->pairs * bytes;
    int8_t *copied = (int8_t *)a->wide, *y = a->out;
    for (uint32_t left = a->pairs; left; left -= left > 1 ? 2 : 1, x += 2 * bytes, y += 2 * a->channels) {
        const int8_t *x0 = x, *x1 = left > 1 ? x + bytes : x; /* an odd last pixel is its own partner */
        int8_t *y1 = left > 1 ? y + a->channels : y;
        if ((uint32_t)(end - x1) < reach) {
            copy_two(copied, reach, x0, x1, bytes);
            x0 = copied, x1 = copied + reach;
        }
        run_pair(&l, pair, x0, x1, y, y1);
    }
}

#define KERNEL(name, walk, pair, round_words)                                                                \
    void name(const te_conv_tiles_args *args) {                                                              \
        walk(args, pair, round_words);                                                                       \
    }
KERNEL(te_conv_vectors_fast, columns, te_conv_pair_fast, TE_CONV_VECTORS_FAST)
KERNEL(te_conv_vectors_exact, columns, te_conv_pair_exact, TE_CONV_VECTORS_EXACT)
KERNEL(te_conv_vectors_wide, columns, te_conv_pair_wide, TE_CONV_VECTORS_WIDE)
KERNEL(te_conv_pixels_fast, pixels, te_conv_pair_fast, TE_CONV_VECTORS_FAST)
KERNEL(te_conv_pixels_exact, pixels, te_conv_pair_exact, TE_CONV_VECTORS_EXACT)
KERNEL(te_conv_pixels_wide, pixels, te_conv_pair_wide, TE_CONV_VECTORS_WIDE)

#if !TE_MVE

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

static int32_t dot(const int8_t *x, const int8_t *w, uint32_t vectors, int32_t acc) {
    for (uint32_t v = 0; v < vectors; v++, x += 16, w += 64)
        for (uint32_t k = 0; k < 16; k++) acc += x[k] * w[k];
    return acc;
}

static void run(const te_conv_vectors_args *a, const int8_t *x0, const int8_t *x1, int8_t *y0, int8_t *y1,
                uint32_t round_words, round_fn *round) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++, w += 4 + 16 * a->vectors + round_words)
        for (uint32_t c = 0; c < 4; c++) {
            const int8_t *weights = (const int8_t *)(w + 4) + 16 * c;
            const int32_t *constants = (const int32_t *)(w + 4 + 16 * a->vectors) + c;
            y0[4 * q + c] = (int8_t)round(dot(x0, weights, a->vectors, (int32_t)w[c]), constants, a->zero);
            y1[4 * q + c] = (int8_t)round(dot(x1, weights, a->vectors, (int32_t)w[c]), constants, a->zero);
        }
}

#define PAIR(name, round_words, round)                                                                       \
    void name(const te_conv_vectors_args *args, const int8_t *x0, const int8_t *x1, int8_t *y0,              \
              int8_t *y1) {                                                                                  \
        run(args, x0, x1, y0, y1, round_words, round);                                                       \
    }
PAIR(te_conv_pair_fast, TE_CONV_VECTORS_FAST, round_fast)
PAIR(te_conv_pair_exact, TE_CONV_VECTORS_EXACT, round_exact)
PAIR(te_conv_pair_wide, TE_CONV_VECTORS_WIDE, round_wide)

#endif
