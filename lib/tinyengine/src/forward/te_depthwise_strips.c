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

/* `words`: of constants, which say how to round. */
static int32_t rounded(int32_t sum, const int32_t *k, int32_t zero, uint32_t words) {
    const int32_t doubled = (int32_t)((uint32_t)sum << 1);
    if (words == TE_DEPTHWISE_STRIP_FAST) return te_round_fast(doubled, k[1], zero);
    if (words == TE_DEPTHWISE_STRIP_EXACT)
        return te_round_exact(doubled, k[1], (int32_t)((uint32_t)(2 * zero + 1) << (-k[2] - 1)), -k[2]);
    const int32_t e = -k[4], c = e ? (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)) : zero;
    return te_round_wide(sum, k[2], c, e, k[1] + 1, -k[3]);
}

static void run_strip(const te_depthwise_strip_args *a, int kernel, int stride, uint32_t words) {
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
                    (int8_t)rounded(sum, a->constants + c * words, a->zero, words);
            }
}

#define STRIP(name, kernel, stride, words)                                                                   \
    void name(const te_depthwise_strip_args *args) {                                                         \
        run_strip(args, kernel, stride, words);                                                              \
    }
STRIP(te_depthwise_strip_3_fast, 3, 1, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_3_exact, 3, 1, TE_DEPTHWISE_STRIP_EXACT)
STRIP(te_depthwise_strip_3_wide, 3, 1, TE_DEPTHWISE_STRIP_WIDE)
STRIP(te_depthwise_strip_5_fast, 5, 1, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_5_wide, 5, 1, TE_DEPTHWISE_STRIP_WIDE)
STRIP(te_depthwise_strip_7_fast, 7, 1, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_7_wide, 7, 1, TE_DEPTHWISE_STRIP_WIDE)
STRIP(te_depthwise_strip_3_by_2_fast, 3, 2, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_3_by_2_wide, 3, 2, TE_DEPTHWISE_STRIP_WIDE)
STRIP(te_depthwise_strip_5_by_2_fast, 5, 2, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_5_by_2_wide, 5, 2, TE_DEPTHWISE_STRIP_WIDE)
STRIP(te_depthwise_strip_7_by_2_fast, 7, 2, TE_DEPTHWISE_STRIP_FAST)
STRIP(te_depthwise_strip_7_by_2_wide, 7, 2, TE_DEPTHWISE_STRIP_WIDE)

static void fill(int8_t *to, int32_t value, uint32_t bytes) {
    memset(to, value, bytes);
}

#endif

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
