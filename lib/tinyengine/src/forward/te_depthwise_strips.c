/* Strips of te_depthwise_strips.h: staging, and the products of one channel; both also as portable C. */
#include "tinyengine/te_depthwise_strips.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"

#include <string.h>

#define ROWS TE_DEPTHWISE_STRIP_ROWS

typedef te_depthwise_strips_params params;

/* Where the rows of a strip lie, in bytes from `base`. */
typedef struct strip_rows {
    const int8_t *base;
    uint32_t offset[ROWS]; /* of rows outside the picture: nothing that may be read */
    uint32_t inside;       /* a bit per row */
} strip_rows;

/* As they lie in a whole picture. */
static strip_rows rows_apart(uint32_t row_bytes) {
    strip_rows rows = {0, {0}, 0};
    for (uint32_t i = 1; i < ROWS; i++) rows.offset[i] = rows.offset[i - 1] + row_bytes;
    return rows;
}

/* Rows first .. first + 7; `x`: of the first of four channels. */
static void aim(strip_rows *rows, const params *p, const te_row_view *x, int32_t first) {
    const uint32_t above = first < 0 ? (uint32_t)-first : 0;
    const uint32_t below = first + ROWS > p->in.h ? (uint32_t)(first + ROWS - p->in.h) : 0;
    rows->inside = 0xffu << above & 0xffu >> below;
    if (x->capacity >= p->in.h) {
        rows->base = x->data + first * (int32_t)x->row_bytes;
        return;
    }
    rows->base = x->data;
    for (uint32_t i = above; i + below < ROWS; i++)
        rows->offset[i] = (uint32_t)(te_row_of(x, (uint32_t)(first + (int32_t)i)) - x->data);
}

#if TE_MVE
#include <arm_mve.h>

/* Four bits per word. Hidden, because GCC 12 takes a constant with different bits for one with all of them. */
static inline mve_pred16_t words_where(uint32_t bits) {
    TE_HIDE(bits);
    return (mve_pred16_t)bits;
}

/* From a bit per row. */
static inline mve_pred16_t words_of(uint32_t bits) {
    return words_where((bits & 1) * 0xf + (bits >> 1 & 1) * 0xf0 + (bits >> 2 & 1) * 0xf00 +
                       (bits >> 3 & 1) * 0xf000);
}

/* One word of each of four rows; `zeros` for those that are not in the picture. */
TE_INLINE uint32x4_t four_rows(const int8_t *x, uint32x4_t offsets, uint32x4_t zeros, mve_pred16_t in,
                               int whole) {
    const uint32_t *base = (const uint32_t *)(const void *)x;
    if (whole) return vldrwq_gather_offset_u32(base, offsets);
    return vpselq_u32(vldrwq_gather_offset_z_u32(base, offsets, in), zeros, in);
}

/* Words of two columns in a row: VLD4 sorts them by channels. */
TE_INLINE void store_sorted(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d, uint32_t *sorted,
                            int8_t *to, uint32_t bytes) {
    vst1q_u32(sorted, a);
    vst1q_u32(sorted + 4, b);
    vst1q_u32(sorted + 8, c);
    vst1q_u32(sorted + 12, d);
    const int8x16x4_t channels = vld4q_s8((const int8_t *)sorted);
    vst1q_s8(to, channels.val[0]);
    vst1q_s8(to + bytes, channels.val[1]);
    vst1q_s8(to + 2 * bytes, channels.val[2]);
    vst1q_s8(to + 3 * bytes, channels.val[3]);
}

/* Eight rows of four channels. Behind an odd last column comes padding. `whole`: all rows are inside. */
TE_INLINE void stage_columns(const params *p, const strip_rows *rows, int8_t *to, int whole) {
    const uint32_t bytes = ROWS * (uint32_t)p->columns, pixel = p->in.c;
    const uint32x4_t top = vld1q_u32(rows->offset), bottom = vld1q_u32(rows->offset + 4);
    const uint32x4_t zeros = vreinterpretq_u32_s8(vdupq_n_s8((int8_t)p->in_zero));
    const mve_pred16_t in_top = words_of(rows->inside), in_bottom = words_of(rows->inside >> 4);
    const int8_t *x = rows->base;
    uint32_t sorted[16];
    for (uint32_t pairs = p->in.w / 2; pairs; pairs--, to += 2 * ROWS, x += 2 * pixel)
        store_sorted(four_rows(x, top, zeros, in_top, whole), four_rows(x, bottom, zeros, in_bottom, whole),
                     four_rows(x + pixel, top, zeros, in_top, whole),
                     four_rows(x + pixel, bottom, zeros, in_bottom, whole), sorted, to, bytes);
    if (p->in.w % 2)
        store_sorted(four_rows(x, top, zeros, in_top, whole), four_rows(x, bottom, zeros, in_bottom, whole),
                     zeros, zeros, sorted, to, bytes);
}

static void stage(const params *p, const strip_rows *rows, int8_t *to) {
    if (rows->inside == 0xff)
        stage_columns(p, rows, to, 1);
    else
        stage_columns(p, rows, to, 0);
}

/* Constants of a channel, in registers. */
typedef struct rounding {
    int32_t bias, left, m, sign, right, zero;
} rounding;

static inline rounding rounding_of(const int32_t *k, int32_t zero, int fast) {
    if (fast) return (rounding){k[0], 0, k[1], 0, 0, zero};
    return (rounding){k[0], k[1], k[2], k[3], k[4], zero};
}

/* Rounded and saturated, in the low byte of each word. */
TE_INLINE int32x4_t finish(int32_t s0, int32_t s1, int32_t s2, int32_t s3, const rounding *r, int fast) {
    int32x4_t sums;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4"
            : "=&t"(sums)
            : "r"(s0), "r"(s1), "r"(s2), "r"(s3));
    sums = vaddq_n_s32(sums, r->bias);
    if (fast) {
        sums = vqrdmulhq_n_s32(sums, r->m);
    } else {
        sums = vqrdmulhq_n_s32(vshlq_r_s32(sums, r->left), r->m);
        sums = vrshlq_n_s32(vqdmlahq_n_s32(sums, sums, r->sign), r->right);
    }
    sums = vaddq_n_s32(sums, r->zero);
    __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnb.s16 %q0, %q0" : "+t"(sums));
    return sums;
}

/* Two rows x two columns; `w1`: weights of the second column. */
TE_INLINE int32x4_t block(const int8_t *x, const int8x16_t *w0, const int8x16_t *w1, int vectors,
                          const rounding *r, int fast) {
    int32_t sum[4] = {0, 0, 0, 0};
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++)
#pragma GCC unroll 2
        for (int row = 0; row < 2; row++) {
            const int8x16_t here = vld1q_s8(x + 16 * i + row);
            sum[2 * row] = i ? vmladavaq_s8(sum[2 * row], here, w0[i]) : vmladavq_s8(here, w0[i]);
            sum[2 * row + 1] = i ? vmladavaq_s8(sum[2 * row + 1], here, w1[i]) : vmladavq_s8(here, w1[i]);
        }
    return finish(sum[0], sum[1], sum[2], sum[3], r, fast);
}

/* Four outputs of a row, two columns of the strip apart. */
TE_INLINE int32x4_t apart(const int8_t *x, const int8x16_t *w, int vectors, const rounding *r, int fast) {
    int32_t sum[4] = {0, 0, 0, 0};
#pragma GCC unroll 8
    for (int i = 0; i < vectors + 3; i++) {
        const int8x16_t here = vld1q_s8(x + 16 * i);
#pragma GCC unroll 4
        for (int o = 0; o < 4; o++) {
            if (i < o || i >= o + vectors) continue;
            sum[o] = i > o ? vmladavaq_s8(sum[o], here, w[i - o]) : vmladavq_s8(here, w[0]);
        }
    }
    return finish(sum[0], sum[1], sum[2], sum[3], r, fast);
}

/* All rows of a channel, by 2 x 2. */
TE_INLINE void run_blocks(const te_depthwise_strip_args *a, const int8_t *x, int8_t *y, const int8_t *weights,
                          uint32x4_t offsets, const rounding *r, int vectors, int fast) {
    const uint32_t pixel = a->pixel, line = a->line, columns = a->columns;
    int8x16_t w0[3], w1[3];
#pragma GCC unroll 3
    for (int i = 0; i < vectors; i++) {
        w0[i] = vld1q_s8(weights + ROWS + 16 * i);
        w1[i] = vld1q_s8(weights + 16 * i);
    }
    for (uint32_t rows = a->rows; rows; rows -= rows > 1 ? 2 : 1, x += 2, y += 2 * line) {
        const int8_t *from = x;
        int8_t *to = y;
        uint32_t left = columns / 2;
        if (rows > 1) {
            for (; left; left--, from += 2 * ROWS, to += 2 * pixel)
                vstrbq_scatter_offset_s32(to, offsets, block(from, w0, w1, vectors, r, fast));
            if (columns % 2)
                vstrbq_scatter_offset_p_s32(to, offsets, block(from, w0, w1, vectors, r, fast),
                                            words_where(0x0f0f));
            continue;
        }
        for (; left; left--, from += 2 * ROWS, to += 2 * pixel)
            vstrbq_scatter_offset_p_s32(to, offsets, block(from, w0, w1, vectors, r, fast),
                                        words_where(0x00ff));
        if (columns % 2)
            vstrbq_scatter_offset_p_s32(to, offsets, block(from, w0, w1, vectors, r, fast),
                                        words_where(0x000f));
    }
}

/* `columns` outputs of a row, `step` bytes apart. */
TE_INLINE void run_row(const int8_t *x, int8_t *y, uint32_t columns, uint32_t step, const int8x16_t *w,
                       const rounding *r, int vectors, int fast) {
    const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), step);
    for (uint32_t left = columns / 4; left; left--, x += 8 * ROWS, y += 4 * step)
        vstrbq_scatter_offset_s32(y, offsets, apart(x, w, vectors, r, fast));
    if (columns % 4)
        vstrbq_scatter_offset_p_s32(y, offsets, apart(x, w, vectors, r, fast), vctp32q(columns % 4));
}

/* All rows of a channel, row by row: with stride 1, first every second output, then those between. */
TE_INLINE void run_rows(const te_depthwise_strip_args *a, const int8_t *x, int8_t *y, const int8_t *weights,
                        const rounding *r, int vectors, int stride, int fast) {
    int8x16_t w[4];
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) w[i] = vld1q_s8(weights + ROWS + 16 * i);
    for (uint32_t row = a->rows; row; row--, x += stride, y += a->line) {
        if (stride == 2) {
            run_row(x, y, a->columns, a->pixel, w, r, vectors, fast);
            continue;
        }
        for (uint32_t odd = 0; odd < 2; odd++)
            run_row(x + ROWS * odd, y + a->pixel * odd, (a->columns + 1 - odd) / 2, 2 * a->pixel, w, r,
                    vectors, fast);
    }
}

TE_INLINE void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, int fast) {
    const int vectors = (kernel + 1) / 2;
    const int8_t *x = a->strip, *weights = a->weights;
    const int32_t *k = a->constants;
    const uint32_t block[4] = {0, a->pixel, a->line, a->line + a->pixel};
    const uint32x4_t offsets = vld1q_u32(block);
    for (uint32_t c = 0; c < 4; c++, x += a->strip_bytes, weights += ROWS * (kernel + 1)) {
        const rounding r = rounding_of(k, a->zero, fast);
        if (stride == 1 && kernel < 7)
            run_blocks(a, x, a->y + c, weights, offsets, &r, vectors, fast);
        else
            run_rows(a, x, a->y + c, weights, &r, vectors, stride, fast);
        k += fast ? TE_DEPTHWISE_STRIP_FAST : TE_DEPTHWISE_STRIP_EXACT;
    }
}

static void fill(int8_t *to, int32_t value, uint32_t bytes) {
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (; bytes; bytes -= 16, to += 16) vst1q_s8(to, all);
}

#else

static void stage(const params *p, const strip_rows *rows, int8_t *to) {
    for (uint32_t column = 0; column < p->in.w; column++)
        for (uint32_t row = 0; row < ROWS; row++)
            for (uint32_t channel = 0; channel < 4; channel++) {
                int8_t value = (int8_t)p->in_zero;
                if (rows->inside >> row & 1)
                    value = (rows->base + rows->offset[row])[column * p->in.c + channel];
                to[(channel * p->columns + column) * ROWS + row] = value;
            }
}

static int32_t rounded(int32_t sum, const int32_t *k, int32_t zero, int fast) {
    if (fast) return te_round_fast((int32_t)((uint32_t)sum << 1), k[1], zero);
    const int32_t e = -k[4], c = e ? (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)) : zero;
    return te_round_wide(sum, k[2], c, e, k[1] + 1, -k[3]);
}

static void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, int fast) {
    const uint32_t words = fast ? TE_DEPTHWISE_STRIP_FAST : TE_DEPTHWISE_STRIP_EXACT;
    for (uint32_t c = 0; c < 4; c++)
        for (uint32_t row = 0; row < a->rows; row++)
            for (uint32_t column = 0; column < a->columns; column++) {
                const int8_t *x = a->strip + c * a->strip_bytes + (column * ROWS + row) * (uint32_t)stride;
                const int8_t *w = a->weights + ROWS * (c * ((uint32_t)kernel + 1) + 1);
                int32_t sum = a->constants[c * words];
                for (int i = 0; i < kernel; i++)
                    for (int j = 0; j < kernel; j++) sum += x[ROWS * i + j] * w[ROWS * i + j];
                a->y[row * a->line + column * a->pixel + c] =
                    (int8_t)rounded(sum, a->constants + c * words, a->zero, fast);
            }
}

static void fill(int8_t *to, int32_t value, uint32_t bytes) {
    memset(to, value, bytes);
}

#endif

#define STRIP(name, kernel, stride, fast)                                                                    \
    void name(const te_depthwise_strip_args *args) {                                                         \
        run_strip(args, kernel, stride, fast);                                                               \
    }
STRIP(te_depthwise_strip_3_fast, 3, 1, 1)
STRIP(te_depthwise_strip_3_exact, 3, 1, 0)
STRIP(te_depthwise_strip_5_fast, 5, 1, 1)
STRIP(te_depthwise_strip_5_exact, 5, 1, 0)
STRIP(te_depthwise_strip_7_fast, 7, 1, 1)
STRIP(te_depthwise_strip_7_exact, 7, 1, 0)
STRIP(te_depthwise_strip_3_by_2_fast, 3, 2, 1)
STRIP(te_depthwise_strip_3_by_2_exact, 3, 2, 0)
STRIP(te_depthwise_strip_5_by_2_fast, 5, 2, 1)
STRIP(te_depthwise_strip_5_by_2_exact, 5, 2, 0)
STRIP(te_depthwise_strip_7_by_2_fast, 7, 2, 1)
STRIP(te_depthwise_strip_7_by_2_exact, 7, 2, 0)

/* Output rows row .. row + count - 1. */
static void run(const params *p, const te_row_view *x, const te_row_view *y, uint32_t row, uint32_t count,
                int8_t *scratch) {
    const uint32_t band = (uint32_t)(ROWS - p->kernel) / p->stride + 1, strips = (count + band - 1) / band;
    const uint32_t bytes = ROWS * (uint32_t)p->columns, slots = p->ahead + 1u;
    te_depthwise_strip_args args = {0, bytes,    p->weights, p->constants, 0, (uint32_t)p->out.w * p->out.c,
                                    0, p->out.w, p->out.c,   p->out_zero};
    strip_rows rows = rows_apart(x->row_bytes);
    fill(scratch, p->in_zero, slots * 4 * bytes); /* only pixels are staged over that */
    for (uint32_t channel = 0; channel < p->in.c; channel += 4) {
        const te_row_view four_channels = {x->data + channel, x->row_bytes, x->capacity};
        int32_t first = (int32_t)(row * p->stride) - p->pad_top; /* row of the next strip to stage */
        uint32_t staged = 0, slot = 0, next = 0;                 /* slots of this strip and of that */
        for (uint32_t i = 0; i < strips; i++) {
            for (; staged < strips && staged < i + slots; staged++, first += (int32_t)(band * p->stride)) {
                aim(&rows, p, &four_channels, first);
                stage(p, &rows, scratch + next * 4 * bytes + ROWS * p->pad_left);
                if (++next == slots) next = 0;
            }
            const uint32_t made_here = count - i * band < band ? count - i * band : band;
            for (uint32_t made = 0; made < made_here; made += args.rows) {
                const uint32_t at = row + i * band + made;
                args.rows = te_rows_in_line(y, at, made_here - made);
                args.strip = scratch + slot * 4 * bytes + made * p->stride;
                args.y = te_row_of(y, at) + channel;
                p->run(&args);
            }
            if (++slot == slots) slot = 0;
        }
        args.weights += 4 * ROWS * (p->kernel + 1u);
        args.constants += 4 * p->words;
    }
    for (uint32_t i = 0; i < count; i++)
        te_clamp_s8(te_row_of(y, row + i), (uint32_t)p->out.w * p->out.c, p->min, p->max);
}

void te_depthwise_strips_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    const te_row_view to = {y, (uint32_t)p->out.w * p->out.c, p->out.h};
    run(p, &from, &to, 0, p->out.h, scratch);
}

void te_depthwise_strips_rows(const void *params_, const te_row_job *job) {
    run(params_, &job->x, &job->y, job->row, job->count, job->scratch);
}
