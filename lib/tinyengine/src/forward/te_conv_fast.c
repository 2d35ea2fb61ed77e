/* Walks the output pixels of a convolution block by block, and says which bytes belong to each pixel's
 * receptive field. */
#include "../support/te_conv_fast_run.h"

#include "../support/te_clamp_s8.h"

#include <string.h>

/* Scratch, divided. */
typedef struct layout {
    uint32_t *columns, *wide;
    uint32_t column_words; /* per pair of pixels */
    te_conv_run *runs;
    int8_t *outside; /* run_bytes of the zero point */
    int8_t *patch;   /* [pixel of the pair][run][run_bytes]: runs that cross the left or right edge */
} layout;

static layout divide(const te_conv_fast_params *p, void *scratch) {
    layout s;
    s.columns = scratch;
    s.column_words = 4u * p->groups + 2;
    s.wide = s.columns + p->block / 2 * s.column_words;
    s.runs = (te_conv_run *)(void *)(s.wide + 4 * p->groups + TE_CONV_WIDE_WORDS);
    s.outside = (int8_t *)(s.runs + p->n_runs);
    s.patch = s.outside + p->run_bytes;
    memset(s.outside, p->in_zero, p->run_bytes);
    return s;
}

/* Bytes first..first+run_bytes of an input row that they overlap, with the zero point beyond its ends. */
static const int8_t *copy_clipped(const te_conv_fast_params *p, const int8_t *row, int32_t first,
                                  int8_t *patch) {
    const uint32_t row_bytes = (uint32_t)p->in.w * p->in.c, run_bytes = p->run_bytes;
    uint32_t at = (uint32_t)first; /* beyond the row also when negative */
    for (uint32_t i = 0; i < run_bytes; i++, at++) patch[i] = at < row_bytes ? row[at] : (int8_t)p->in_zero;
    return patch;
}

/* The run that begins at column ix of a row (null: outside): in x, in `outside`, or copied to `patch`. */
static const int8_t *locate(const te_conv_fast_params *p, const layout *s, const int8_t *row, int32_t ix,
                            int8_t *patch) {
    const int32_t first = ix * p->in.c, row_bytes = p->in.w * p->in.c;
    if (!row) return s->outside;
    if (first >= 0 && first + p->run_bytes <= row_bytes) return row + first;
    if (first + p->run_bytes <= 0 || first >= row_bytes) return s->outside; /* always so for single taps */
    return copy_clipped(p, row, first, patch);
}

/* The runs of output pixel (oy, ox), as the first (0) or second (1) pixel of a pair. */
static void aim(const te_conv_fast_params *p, const te_row_view *x, const layout *s, int32_t oy, int32_t ox,
                int second) {
    const te_window *k = &p->window;
    const int32_t taps = p->n_runs == k->kh ? 1 : k->kw; /* runs per kernel row */
    const int32_t left = ox * k->sw - k->pad_left, advance = 2 * k->sw * p->in.c;
    int32_t iy = oy * k->sh - k->pad_top;
    int8_t *patch = s->patch + (second ? p->n_runs * p->run_bytes : 0);
    te_conv_run *run = s->runs;
    for (int32_t ky = 0; ky < k->kh; ky++, iy += k->dh) {
        const int8_t *row = iy >= 0 && iy < p->in.h ? te_row_of(x, (uint32_t)iy) : 0;
        for (int32_t kx = 0; kx < taps; kx++, run++, patch += p->run_bytes) {
            const int32_t offset = (int32_t)(locate(p, s, row, left + kx * k->dw, patch) - x->data);
            if (second) {
                run->p1 = offset;
            } else {
                run->p0 = offset;
                run->step = row ? advance : 0;
            }
        }
    }
}

/* The same for the pixel to the right of the first, if both fields lie inside the row. */
static void aim_beside(const te_conv_fast_params *p, const layout *s) {
    for (uint32_t r = 0; r < p->n_runs; r++) s->runs[r].p1 = s->runs[r].p0 + s->runs[r].step / 2;
}

/* How many pairs from column ox on have whole fields inside the row: they share one list of runs. */
static uint32_t plain_pairs(const te_conv_fast_params *p, int32_t ox, uint32_t most) {
    const int32_t reach = (p->window.kw - 1) * p->window.dw + 1, stride = p->window.sw;
    const int32_t first = ox * stride - p->window.pad_left;
    const int32_t room = p->in.w - reach - first; /* how far the field may still move right */
    if (first < 0 || room < 0) return 0;
    int32_t pixels = room / stride + 1;
    if (pixels > p->out.w - ox) pixels = p->out.w - ox;
    const uint32_t pairs = (uint32_t)pixels / 2;
    return pairs < most ? pairs : most;
}

/* Whether the field of column ox, behind plain pairs of its row, ends inside the row: then gather left its runs as those
 * of a first pixel. */
static int still_inside(const te_conv_fast_params *p, int32_t ox) {
    const te_window *k = &p->window;
    return ox < p->out.w && ox * k->sw - k->pad_left + (k->kw - 1) * k->dw < p->in.w;
}

/* Whether all kernel rows over output row oy lie in the picture. */
static int rows_inside(const te_conv_fast_params *p, int32_t oy) {
    const te_window *k = &p->window;
    const int32_t top = oy * k->sh - k->pad_top;
    return top >= 0 && top + (k->kh - 1) * k->dh < p->in.h;
}

/* Pixels first .. first + count - 1 of the output flattened from row `row` on. */
static void gather_block(const te_conv_fast_params *p, const te_row_view *x, const layout *s, int32_t row,
                         int32_t first, int32_t count) {
    te_conv_gather_args args = {x->data,           s->runs,    p->n_runs, p->run_bytes / 4u,
                                p->run_bytes % 4u, s->columns, 0,         p->groups};
    int32_t oy = first / p->out.w, ox = first - oy * p->out.w;
    int aimed = 0;
    oy += row;
    for (; count > 0; count -= 2 * (int32_t)args.pairs) {
        const uint32_t plain = plain_pairs(p, ox, (uint32_t)count / 2);
        te_conv_gather_fn *gather = p->gather_any;
        if (!aimed) aim(p, x, s, oy, ox, 0);
        aimed = 0;
        if (plain) {
            aim_beside(p, s);
            args.pairs = plain;
            ox += 2 * (int32_t)plain;
            aimed = still_inside(p, ox);
            if (rows_inside(p, oy)) gather = p->gather;
        } else {
            if (count > 1 && ++ox == p->out.w) oy++, ox = 0;
            aim(p, x, s, oy, ox, 1); /* an odd last pixel is its own partner */
            args.pairs = 1;
            ox++;
        }
        if (ox == p->out.w) oy++, ox = 0;
        gather(&args);
        args.columns += args.pairs * s->column_words;
    }
}

/* Behind each pair's columns: where its outputs go, in bytes from the output of the last whole pair; the odd
 * pixel, if any, is one pair behind that. */
static void aim_outputs(const te_conv_fast_params *p, const layout *s, int32_t count) {
    const int32_t step = 2 * p->out.c;
    uint32_t *word = s->columns + s->column_words - 2;
    for (int32_t to = (1 - count / 2) * step; count > 0; count -= 2, to += step, word += s->column_words) {
        word[0] = (uint32_t)to;
        word[1] = (uint32_t)(count > 1 ? to + p->out.c : to);
    }
}

/* Pixel by pixel, without columns. */
static void run_pixels(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                       uint32_t rows, void *scratch) {
    for (uint32_t i = 0; i < rows; i++, y += p->out.w * p->out.c) {
        const uint32_t *pixels = (const uint32_t *)(const void *)te_row_of(x, row + i);
        const te_conv_tiles_args args = {pixels,  p->weights, scratch,   y,          p->out.w,
                                         p->in.c, p->out.c,   p->groups, p->out_zero};
        p->tiles(&args);
    }
    y -= rows * p->out.w * p->out.c;
    te_clamp_s8(y, rows * p->out.w * p->out.c, p->min, p->max);
}

/* `block`: what computes the outputs of a block, if it is not p->tiles. */
static inline void run_blocks(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                              uint32_t rows, void *scratch, te_conv_block_fn *block, void *context) {
    const layout s = divide(p, scratch);
    const int32_t pixels = (int32_t)rows * p->out.w;
    int32_t aimed = 0;
    for (int32_t first = 0; first < pixels; first += p->block) {
        const int32_t count = pixels - first < p->block ? pixels - first : p->block;
        int8_t *out = y + first * p->out.c;
        if (count != aimed) aim_outputs(p, &s, count);
        aimed = count;
        gather_block(p, x, &s, (int32_t)row, first, count);
        const te_conv_tiles_args args = {s.columns, p->weights, s.wide,    out,        (uint32_t)count / 2,
                                         count & 1, p->out.c,   p->groups, p->out_zero};
        if (block)
            block(p, &args, context);
        else
            p->tiles(&args);
        te_clamp_s8(out, (uint32_t)(count * p->out.c), p->min, p->max);
    }
}

void te_conv_fast_run(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                      uint32_t rows, void *scratch) {
    if (p->run)
        p->run(p, x, y, row, rows, scratch);
    else if (p->gather)
        run_blocks(p, x, y, row, rows, scratch, 0, 0);
    else
        run_pixels(p, x, y, row, rows, scratch);
}

void te_conv_fast_run_blocks(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, void *scratch,
                             te_conv_block_fn *block, void *context) {
    run_blocks(p, x, y, 0, p->out.h, scratch, block, context);
}

void te_conv_fast_s8(const te_conv_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view whole = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    te_conv_fast_run(p, &whole, y, 0, p->out.h, scratch);
}

void te_conv_narrow_s8(const te_conv_fast_params *p, const int8_t *x, int8_t *y) {
    te_conv_fast_s8(p, x, y, 0);
}
