/* Strips of te_depthwise_strips.h: staging, and the products of one channel; both also as portable C. */
#include "tinyengine/te_depthwise_strips.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_requant_fixed.h"

#include <string.h>

#define ROWS TE_DEPTHWISE_STRIP_ROWS

typedef te_depthwise_strips_params params;

/* Where the rows of a strip lie: in bytes behind the first channel of `base`; of rows outside the picture, any
 * place in it. */
typedef struct strip_rows {
    const int8_t *base;
    uint32_t offset[ROWS];
    uint32_t inside; /* a bit per row */
} strip_rows;

static strip_rows rows_from(const params *p, const te_row_view *x, int32_t first) {
    strip_rows rows = {x->data, {0}, 0};
    for (int32_t i = 0; i < ROWS; i++) {
        const int32_t row = first + i;
        if (row < 0 || row >= p->in.h) continue;
        rows.offset[i] = (uint32_t)(te_row_of(x, (uint32_t)row) - x->data);
        rows.inside |= 1u << i;
    }
    return rows;
}

#if TE_MVE
#include <arm_mve.h>

/* A bit per row becomes one per byte of its word. */
static inline mve_pred16_t words_of(uint32_t bits) {
    return (mve_pred16_t)((bits & 1) * 0xf + (bits >> 1 & 1) * 0xf0 + (bits >> 2 & 1) * 0xf00 +
                          (bits >> 3 & 1) * 0xf000);
}

/* `rows` rows of one column, four channels each. The buffer's words are of two columns, so VLD4 sorts channels. A picture
 * whose rows may be missing is told apart: `whole` 0. */
TE_INLINE void stage_columns(const strip_rows *rows, uint32_t columns, uint32_t pixel, uint32_t zeros,
                             int8_t *to, uint32_t strip_bytes, int whole) {
    const uint32x4_t top = vld1q_u32(rows->offset), bottom = vld1q_u32(rows->offset + 4);
    const uint32x4_t outside = vdupq_n_u32(zeros);
    const mve_pred16_t in_top = words_of(rows->inside), in_bottom = words_of(rows->inside >> 4);
    const int8_t *x = rows->base;
    uint32_t sorted[16];
    for (uint32_t left = columns; left; left -= left > 1 ? 2 : 1, to += 2 * ROWS, x += 2 * pixel) {
        const int8_t *next = left > 1 ? x + pixel : x;
        uint32x4_t a = vldrwq_gather_offset_u32((const uint32_t *)(const void *)x, top);
        uint32x4_t b = vldrwq_gather_offset_u32((const uint32_t *)(const void *)x, bottom);
        uint32x4_t c = vldrwq_gather_offset_u32((const uint32_t *)(const void *)next, top);
        uint32x4_t d = vldrwq_gather_offset_u32((const uint32_t *)(const void *)next, bottom);
        if (!whole) {
            a = vpselq_u32(a, outside, in_top);
            c = vpselq_u32(c, outside, in_top);
            b = vpselq_u32(b, outside, in_bottom);
            d = vpselq_u32(d, outside, in_bottom);
        }
        vst1q_u32(sorted, a);
        vst1q_u32(sorted + 4, b);
        vst1q_u32(sorted + 8, c);
        vst1q_u32(sorted + 12, d);
        const int8x16x4_t channels = vld4q_s8((const int8_t *)sorted);
        vst1q_s8(to, channels.val[0]);
        vst1q_s8(to + strip_bytes, channels.val[1]);
        vst1q_s8(to + 2 * strip_bytes, channels.val[2]);
        vst1q_s8(to + 3 * strip_bytes, channels.val[3]);
    }
}

static void stage_inside(const params *p, const strip_rows *rows, int8_t *to) {
    const uint32_t zeros = (uint8_t)p->in_zero * 0x01010101u, bytes = ROWS * (uint32_t)p->columns;
    if (rows->inside == 0xff)
        stage_columns(rows, p->in.w, p->in.c, zeros, to, bytes, 1);
    else
        stage_columns(rows, p->in.w, p->in.c, zeros, to, bytes, 0);
}

/* Four outputs. In `pairs` they are columns c .. c + 3, of which every second has the weights w1; else they are
 * two columns apart. */
TE_INLINE int32x4_t four(const int8_t *x, const int8x16_t *w0, const int8x16_t *w1, int vectors, int pairs) {
    int32_t sum[4] = {0, 0, 0, 0};
    const int step = pairs ? 2 : 1, loads = vectors + (pairs ? 1 : 3);
#pragma GCC unroll 8
    for (int i = 0; i < loads; i++) {
        const int8x16_t here = vld1q_s8(x + 16 * i);
#pragma GCC unroll 4
        for (int o = 0; o < 4; o++) {
            const int at = i - o / step;
            if (at < 0 || at >= vectors) continue;
            const int8x16_t w = pairs && o % 2 ? w1[at] : w0[at];
            sum[o] = at ? vmladavaq_s8(sum[o], here, w) : vmladavq_s8(here, w);
        }
    }
    int32x4_t sums;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4"
            : "=&t"(sums)
            : "r"(sum[0]), "r"(sum[1]), "r"(sum[2]), "r"(sum[3]));
    return sums;
}

TE_INLINE int32x4_t rounded(int32x4_t sums, const int32_t *k, int32_t zero, int fast) {
    sums = vaddq_n_s32(sums, k[0]);
    if (fast) return vaddq_n_s32(vqrdmulhq_n_s32(sums, k[1]), zero);
    sums = vqrdmulhq_n_s32(vshlq_r_s32(sums, k[1]), k[2]);
    sums = vqdmlahq_n_s32(sums, sums, k[3]);
    return vaddq_n_s32(vrshlq_n_s32(sums, k[4]), zero);
}

/* Every output (`every` 1) or every second one of a row. */
TE_INLINE void make_row(const te_depthwise_strip_args *a, const int8_t *x, int8_t *y, uint32_t columns,
                        uint32_t every, const int8x16_t *w0, const int8x16_t *w1, int vectors, int pairs,
                        int fast) {
    const uint32_t step = every * a->pixel;
    const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), step);
    for (; columns; x += pairs ? 4 * ROWS : 8 * ROWS, y += 4 * step) {
        const int32x4_t sums = rounded(four(x, w0, w1, vectors, pairs), a->constants, a->zero, fast);
        const int16x8_t halves = vqmovnbq_s32(vreinterpretq_s16_s32(sums), sums);
        const int8x16_t bytes = vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves);
        if (columns < 4) {
            vstrbq_scatter_offset_p_s32(y, offsets, vreinterpretq_s32_s8(bytes), vctp32q(columns));
            return;
        }
        vstrbq_scatter_offset_s32(y, offsets, vreinterpretq_s32_s8(bytes));
        columns -= 4;
    }
}

TE_INLINE void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, int fast) {
    const int vectors = (kernel + 1) / 2, pairs = stride == 1 && kernel < 7;
    int8x16_t w0[4], w1[4];
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) {
        w0[i] = vld1q_s8(a->weights + ROWS + 16 * i);
        w1[i] = vld1q_s8(a->weights + 16 * i);
    }
    int8_t *y = a->y;
    const int8_t *x = a->strip;
    for (uint32_t row = 0; row < a->rows; row++, y += a->line, x += stride) {
        if (stride == 2 || pairs) {
            make_row(a, x, y, a->columns, 1, w0, w1, vectors, pairs, fast);
            continue;
        }
        make_row(a, x, y, (a->columns + 1) / 2, 2, w0, w1, vectors, 0, fast);
        make_row(a, x + ROWS, y + a->pixel, a->columns / 2, 2, w0, w1, vectors, 0, fast);
    }
}

#else

static void stage_inside(const params *p, const strip_rows *rows, int8_t *to) {
    for (uint32_t column = 0; column < p->in.w; column++)
        for (uint32_t row = 0; row < ROWS; row++)
            for (uint32_t channel = 0; channel < 4; channel++) {
                const int8_t *x = rows->base + rows->offset[row] + column * p->in.c + channel;
                to[(channel * p->columns + column) * ROWS + row] =
                    rows->inside >> row & 1 ? *x : (int8_t)p->in_zero;
            }
}

static int32_t rounded(int32_t sum, const int32_t *k, int32_t zero, int fast) {
    if (fast) return te_round_fast((int32_t)((uint32_t)sum << 1), k[1], zero);
    const int32_t e = -k[4], c = e ? (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)) : zero;
    return te_round_wide(sum, k[2], c, e, k[1] + 1, -k[3]);
}

static void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, int fast) {
    for (uint32_t row = 0; row < a->rows; row++)
        for (uint32_t column = 0; column < a->columns; column++) {
            const int8_t *x = a->strip + (column * ROWS + row) * (uint32_t)stride, *w = a->weights + ROWS;
            int32_t sum = a->constants[0];
            for (int i = 0; i < kernel; i++)
                for (int j = 0; j < kernel; j++) sum += x[ROWS * i + j] * w[ROWS * i + j];
            a->y[row * a->line + column * a->pixel] = (int8_t)rounded(sum, a->constants, a->zero, fast);
        }
}

#endif

#define STRIP(name, kernel, stride)                                                                          \
    void name##_fast(const te_depthwise_strip_args *args) {                                                  \
        run_strip(args, kernel, stride, 1);                                                                  \
    }                                                                                                        \
    void name##_exact(const te_depthwise_strip_args *args) {                                                 \
        run_strip(args, kernel, stride, 0);                                                                  \
    }
STRIP(te_depthwise_strip_3, 3, 1)
STRIP(te_depthwise_strip_5, 5, 1)
STRIP(te_depthwise_strip_7, 7, 1)
STRIP(te_depthwise_strip_3_by_2, 3, 2)
STRIP(te_depthwise_strip_5_by_2, 5, 2)
STRIP(te_depthwise_strip_7_by_2, 7, 2)

/* Rows `first` .. first + 7 of four channels. */
static void stage(const params *p, const te_row_view *x, uint32_t channel, int32_t first, int8_t *to) {
    const te_row_view four_channels = {x->data + channel, x->row_bytes, x->capacity};
    const strip_rows rows = rows_from(p, &four_channels, first);
    const uint32_t bytes = ROWS * (uint32_t)p->columns, left = ROWS * (uint32_t)p->pad_left;
    const uint32_t end = left + ROWS * (uint32_t)p->in.w;
    stage_inside(p, &rows, to + left);
    for (int i = 0; i < 4; i++, to += bytes) { /* behind: an odd column is staged twice */
        memset(to, p->in_zero, left);
        memset(to + end, p->in_zero, bytes - end);
    }
}

/* Output rows row .. row + count - 1. */
static void run(const params *p, const te_row_view *x, const te_row_view *y, uint32_t row, uint32_t count,
                int8_t *scratch) {
    const uint32_t band = (uint32_t)(ROWS - p->kernel) / p->stride + 1, strips = (count + band - 1) / band;
    const uint32_t bytes = ROWS * (uint32_t)p->columns, slots = p->ahead + 1u;
    const uint32_t channel_bytes = ROWS * (p->kernel + 1u);
    for (uint32_t channel = 0; channel < p->in.c; channel += 4) {
        te_depthwise_strip_args args = {0, 0,        0,        0,          (uint32_t)p->out.w * p->out.c,
                                        0, p->out.w, p->out.c, p->out_zero};
        uint32_t staged = 0;
        for (uint32_t i = 0; i < strips; i++) {
            for (; staged < strips && staged < i + slots; staged++)
                stage(p, x, channel, (int32_t)((row + staged * band) * p->stride) - p->pad_top,
                      scratch + staged % slots * 4 * bytes);
            const uint32_t rows = count - i * band < band ? count - i * band : band;
            for (uint32_t made = 0; made < rows; made += args.rows) {
                const uint32_t at = row + i * band + made;
                int8_t *to = te_row_of(y, at) + channel;
                args.rows = te_rows_in_line(y, at, rows - made);
                for (uint32_t c = 0; c < 4; c++) {
                    args.strip = scratch + (i % slots * 4 + c) * bytes + made * p->stride;
                    args.weights = p->weights + (channel + c) * channel_bytes;
                    args.constants = p->constants + (channel + c) * p->words;
                    args.y = to + c;
                    p->run(&args);
                }
            }
        }
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
