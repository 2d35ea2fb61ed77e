/* Strips of te_depthwise_strips.h: staging, and the products of one channel; both also as portable C. */
#include "tinyengine/te_depthwise_strips.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"

#include <string.h>

#define ROWS 8 /* of a strip, where they are not four */

typedef te_depthwise_strips_params params;

static inline uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Output rows of a strip. */
static inline uint32_t band_of(const params *p) {
    return (uint32_t)(p->depth - p->kernel) / p->stride + 1;
}

#if TE_MVE
#include <arm_mve.h>

/* Four bits per word. Hidden, because GCC 12 takes a constant with different bits for one with all of them. */
static inline mve_pred16_t words_where(uint32_t bits) {
    TE_HIDE(bits);
    return (mve_pred16_t)bits;
}

/* Rows first .. first + depth - 1 of a view; those outside the picture read the word of zero points again and again. */
TE_INLINE void aim(te_depthwise_strip_rows *rows, const params *p, const te_row_view *x, int32_t first) {
    const uint32_t depth = p->depth, pixel = p->in.c, outside = (uint32_t)&rows->zeros - (uint32_t)x->data;
    if (x->capacity < p->in.h) {
        for (uint32_t i = 0; i < depth; i++) {
            const uint32_t row = (uint32_t)first + i, inside = row < p->in.h;
            rows->offset[i] = inside ? (uint32_t)(te_row_of(x, row) - x->data) : outside;
            rows->step[i] = inside ? pixel : 0;
        }
        return;
    }
    for (uint32_t i = 0; i < depth; i += 4) {
        const uint32x4_t row = vaddq_n_u32(vidupq_n_u32(i, 1), (uint32_t)first);
        const mve_pred16_t inside = vcmphiq_u32(vdupq_n_u32(p->in.h), row);
        const uint32x4_t offset = vmulq_n_u32(row, x->row_bytes);
        vst1q_u32(rows->offset + i, vpselq_u32(offset, vdupq_n_u32(outside), inside));
        vst1q_u32(rows->step + i, vpselq_u32(vdupq_n_u32(pixel), vdupq_n_u32(0), inside));
    }
}

/* Four channels of strips, the first of which begins with row `first`. Those inside a whole picture are staged by one call. */
static void stage(const params *p, const te_row_view *x, int32_t first, uint32_t strips, int8_t *to) {
    const uint32_t depth = p->depth, apart = depth * p->columns;
    const int32_t advance = (int32_t)band_of(p) * p->stride, last = p->in.h - (int32_t)depth;
    te_depthwise_strip_rows rows;
    rows.zeros = 0x01010101u * (uint8_t)p->in_zero;
    rows.x_next = (uint32_t)advance * x->row_bytes;
    rows.to_next = 4 * apart;
    for (; strips;
         strips -= rows.strips, first += (int32_t)rows.strips * advance, to += rows.strips * 4 * apart) {
        rows.strips = 1;
        if (x->capacity >= p->in.h && first >= 0 && first <= last)
            rows.strips = least(strips, (uint32_t)((last - first) / advance) + 1);
        aim(&rows, p, x, first);
        (depth == 4 ? te_depthwise_stage_4 : te_depthwise_stage_8)(x->data, to, apart, p->in.w, &rows);
    }
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

/* Rows of a channel, by 2 x 2. */
TE_INLINE void run_blocks(const te_depthwise_strip_args *a, uint32_t rows, const int8_t *x, int8_t *y,
                          const int8_t *weights, uint32x4_t offsets, const rounding *r, int vectors,
                          int fast) {
    const uint32_t pixel = a->pixel, line = a->line, columns = a->columns;
    int8x16_t w0[3], w1[3];
#pragma GCC unroll 3
    for (int i = 0; i < vectors; i++) {
        w0[i] = vld1q_s8(weights + ROWS + 16 * i);
        w1[i] = vld1q_s8(weights + 16 * i);
    }
    for (; rows; rows -= rows > 1 ? 2 : 1, x += 2, y += 2 * line) {
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

/* Rows of a channel, row by row: with stride 1, first every second output, then those between. */
TE_INLINE void run_rows(const te_depthwise_strip_args *a, uint32_t rows, const int8_t *x, int8_t *y,
                        const int8_t *weights, const rounding *r, int vectors, int stride, int fast) {
    int8x16_t w[4];
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) w[i] = vld1q_s8(weights + ROWS + 16 * i);
    for (; rows; rows--, x += stride, y += a->line) {
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
    const uint32_t band = (uint32_t)(ROWS - kernel) / (uint32_t)stride + 1;
    const int8_t *x = a->strip, *weights = a->weights;
    const int32_t *k = a->constants;
    const uint32_t block[4] = {0, a->pixel, a->line, a->line + a->pixel};
    const uint32x4_t offsets = vld1q_u32(block);
    for (uint32_t c = 0; c < 4; c++, x += a->strip_bytes, weights += ROWS * (kernel + 1)) {
        const rounding r = rounding_of(k, a->zero, fast);
        const int8_t *strip = x;
        int8_t *y = a->y + c;
        for (uint32_t left = a->rows, here; left; left -= here, strip += a->next, y += here * a->line) {
            here = least(left, band);
            if (stride == 1 && kernel < 7)
                run_blocks(a, here, strip, y, weights, offsets, &r, vectors, fast);
            else
                run_rows(a, here, strip, y, weights, &r, vectors, stride, fast);
        }
        k += fast ? TE_DEPTHWISE_STRIP_FAST : TE_DEPTHWISE_STRIP_EXACT;
    }
}

static void fill(int8_t *to, int32_t value, uint32_t bytes) {
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (; bytes; bytes -= 16, to += 16) vst1q_s8(to, all);
}

#else

static void stage(const params *p, const te_row_view *x, int32_t first, uint32_t strips, int8_t *to) {
    for (; strips; strips--, first += (int32_t)band_of(p) * p->stride, to += 4 * p->depth * p->columns)
        for (int32_t row = 0; row < p->depth; row++) {
            const int32_t at = first + row;
            const int8_t *line = at >= 0 && at < p->in.h ? te_row_of(x, (uint32_t)at) : 0;
            for (uint32_t column = 0; column < p->in.w; column++)
                for (uint32_t channel = 0; channel < 4; channel++)
                    to[(channel * p->columns + column) * p->depth + (uint32_t)row] =
                        line ? line[column * p->in.c + channel] : (int8_t)p->in_zero;
        }
}

static int32_t rounded(int32_t sum, const int32_t *k, int32_t zero, int fast) {
    if (fast) return te_round_fast((int32_t)((uint32_t)sum << 1), k[1], zero);
    const int32_t e = -k[4], c = e ? (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)) : zero;
    return te_round_wide(sum, k[2], c, e, k[1] + 1, -k[3]);
}

static void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, int fast) {
    const uint32_t words = fast ? TE_DEPTHWISE_STRIP_FAST : TE_DEPTHWISE_STRIP_EXACT;
    const uint32_t depth = kernel == 3 && stride == 1 ? 4 : ROWS,
                   band = (depth - (uint32_t)kernel) / (uint32_t)stride + 1;
    const uint32_t front = depth == 4 ? 5 : ROWS, channel = depth * ((uint32_t)kernel + 1);
    for (uint32_t c = 0; c < 4; c++)
        for (uint32_t row = 0; row < a->rows; row++)
            for (uint32_t column = 0; column < a->columns; column++) {
                const int8_t *x = a->strip + c * a->strip_bytes + row / band * a->next +
                                  (column * depth + row % band) * (uint32_t)stride;
                const int8_t *w = a->weights + c * channel + front;
                int32_t sum = a->constants[c * words];
                for (uint32_t i = 0; i < (uint32_t)kernel; i++)
                    for (uint32_t j = 0; j < (uint32_t)kernel; j++)
                        sum += x[depth * i + j] * w[depth * i + j];
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
#if !TE_MVE /* the twins of te_depthwise_strips_mve.S */
STRIP(te_depthwise_strip_3_fast, 3, 1, 1)
STRIP(te_depthwise_strip_3_exact, 3, 1, 0)
#endif
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
    const uint32_t band = band_of(p), strips = (count + band - 1) / band, slots = p->slots;
    const uint32_t bytes = 4u * p->depth * p->columns, pixel = p->out.c, line = (uint32_t)p->out.w * pixel;
    const uint16_t offsets[8] = {0,
                                 (uint16_t)(2 * pixel),
                                 (uint16_t)line,
                                 (uint16_t)(line + 2 * pixel),
                                 (uint16_t)pixel,
                                 (uint16_t)(3 * pixel),
                                 (uint16_t)(line + pixel),
                                 (uint16_t)(line + 3 * pixel)};
    te_depthwise_strip_args args = {0, bytes / 4, p->weights, p->constants, 0,     line,
                                    0, p->out.w,  pixel,      p->out_zero,  bytes, offsets};
    fill(scratch, p->in_zero, least(slots, strips) * bytes); /* only pixels are staged over that */
    for (uint32_t channel = 0; channel < p->in.c; channel += 4) {
        const te_row_view four_channels = {x->data + channel, x->row_bytes, x->capacity};
        int32_t first = (int32_t)(row * p->stride) - p->pad_top; /* row of the next strip to stage */
        uint32_t staged = 0, slot = 0, next = 0; /* slots of the next to compute and to stage */
        for (uint32_t i = 0, n; i < strips; i += n) {
            for (; staged < strips && staged < i + slots;
                 staged += n, first += (int32_t)(n * band * p->stride)) {
                n = least(least(strips, i + slots) - staged, slots - next);
                stage(p, &four_channels, first, n, scratch + next * bytes + p->depth * p->pad_left);
                if ((next += n) == slots) next = 0;
            }
            n = least(staged == strips ? strips - i : staged - i - p->ahead, slots - slot);
            const uint32_t rows = least(count - i * band, n * band);
            for (uint32_t made = 0; made < rows; made += args.rows) {
                const uint32_t at = row + i * band + made, inside = made % band; /* of a strip */
                args.rows = te_rows_in_line(y, at, inside ? least(rows - made, band - inside) : rows - made);
                args.strip = scratch + (slot + made / band) * bytes + inside * p->stride;
                args.y = te_row_of(y, at) + channel;
                p->run(&args);
            }
            if ((slot += n) == slots) slot = 0;
        }
        args.weights += 4u * p->depth * (p->kernel + 1u);
        args.constants += 4 * p->words;
    }
    for (uint32_t i = 0; i < count; i++) te_clamp_s8(te_row_of(y, row + i), line, p->min, p->max);
}

void te_depthwise_strips_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    const te_row_view to = {y, (uint32_t)p->out.w * p->out.c, p->out.h};
    run(p, &from, &to, 0, p->out.h, scratch);
}

void te_depthwise_strips_rows(const void *params_, const te_row_job *job) {
    run(params_, &job->x, &job->y, job->row, job->count, job->scratch);
}
