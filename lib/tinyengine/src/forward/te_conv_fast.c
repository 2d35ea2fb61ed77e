/* Walks the output pixels of a convolution block by block: which bytes belong to each pixel's receptive
 * field. */
#include "../support/te_conv_fast_run.h"

#include "../support/te_clamp_s8.h"

#include <string.h>

/* Scratch, divided. */
typedef struct layout {
    uint32_t *columns, *wide;
    te_conv_run *runs;
    int8_t *outside; /* run_bytes of the zero point */
    int8_t *patch;   /* [pixel of the pair][run][run_bytes]: runs that cross the left or right edge */
} layout;

static layout divide(const te_conv_fast_params *p, void *scratch) {
    layout s;
    s.columns = scratch;
    s.wide = s.columns + p->block / 2 * 4 * p->groups;
    s.runs = (te_conv_run *)(void *)(s.wide + 4 * p->groups + 2 + p->round_words);
    s.outside = (int8_t *)(s.runs + p->n_runs);
    s.patch = s.outside + p->run_bytes;
    memset(s.outside, p->in_zero, p->run_bytes);
    return s;
}

/* Bytes first..first+run_bytes of an input row that they overlap, with the zero point beyond its ends. */
static const int8_t *copy_clipped(const te_conv_fast_params *p, const int8_t *row, int32_t first,
                                  int8_t *patch) {
    const int32_t row_bytes = p->in.w * p->in.c, last = first + p->run_bytes;
    const int32_t from = first < 0 ? 0 : first, to = last > row_bytes ? row_bytes : last;
    memset(patch, p->in_zero, (size_t)(from - first));
    memcpy(patch + (from - first), row + from, (size_t)(to - from));
    memset(patch + (to - first), p->in_zero, (size_t)(last - to));
    return patch;
}

/* Where run `r` of the output pixel (oy, ox) lies: in x, in `outside`, or in a copy at `patch`. */
static const int8_t *run_of(const te_conv_fast_params *p, const te_row_view *x, const layout *s, int32_t oy,
                            int32_t ox, int32_t r, int8_t *patch) {
    const int32_t taps = p->n_runs / p->window.kh; /* runs per kernel row */
    const int32_t ky = taps == 1 ? r : r / taps, kx = taps == 1 ? 0 : r % taps;
    const int32_t iy = oy * p->window.sh - p->window.pad_top + ky * p->window.dh;
    const int32_t ix = ox * p->window.sw - p->window.pad_left + kx * p->window.dw;
    if (iy < 0 || iy >= p->in.h) return s->outside;
    const int8_t *row = te_row_of(x, (uint32_t)iy);
    const int32_t first = ix * p->in.c;
    if (first >= 0 && first + p->run_bytes <= p->in.w * p->in.c) return row + first;
    if (first + p->run_bytes <= 0 || first >= p->in.w * p->in.c)
        return s->outside; /* always so for single taps */
    return copy_clipped(p, row, first, patch);
}

/* Runs of the pixels i and j of the flattened output, counted from row `first`. */
static void aim(const te_conv_fast_params *p, const te_row_view *x, const layout *s, int32_t first, int32_t i,
                int32_t j) {
    const int32_t y0 = i / p->out.w, x0 = i - y0 * p->out.w, y1 = j / p->out.w, x1 = j - y1 * p->out.w;
    const int32_t bytes = p->run_bytes, advance = 2 * p->window.sw * p->in.c;
    for (int32_t r = 0; r < p->n_runs; r++) {
        te_conv_run *run = &s->runs[r];
        const int8_t *p0 = run_of(p, x, s, first + y0, x0, r, s->patch + r * bytes);
        const int8_t *p1 = run_of(p, x, s, first + y1, x1, r, s->patch + (p->n_runs + r) * bytes);
        run->p0 = (int32_t)(p0 - x->data);
        run->p1 = (int32_t)(p1 - x->data);
        run->step = p0 == s->outside ? 0 : advance;
    }
}

/* How many pairs from pixel i on lie side by side in one row with whole fields: they share one list of runs.
 */
static uint32_t plain_pairs(const te_conv_fast_params *p, int32_t i, uint32_t most) {
    const int32_t reach = (p->window.kw - 1) * p->window.dw + 1, stride = p->window.sw;
    const int32_t ox = i % p->out.w;
    const int32_t first = ox * stride - p->window.pad_left;
    if (first < 0) return 0;
    const int32_t room = p->in.w - reach - first; /* how far the field may still move right */
    if (room < 0) return 0;
    int32_t pixels = room / stride + 1;
    if (pixels > p->out.w - ox) pixels = p->out.w - ox;
    const uint32_t pairs = (uint32_t)pixels / 2;
    return pairs < most ? pairs : most;
}

static void gather_block(const te_conv_fast_params *p, const te_row_view *x, const layout *s, int32_t row,
                         int32_t first, int32_t count) {
    te_conv_gather_args args = {x->data,           s->runs,    p->n_runs, p->run_bytes / 4u,
                                p->run_bytes % 4u, s->columns, 0,         p->groups};
    for (int32_t i = 0; i < count; i += 2 * (int32_t)args.pairs) {
        const uint32_t plain = plain_pairs(p, first + i, (uint32_t)(count - i) / 2);
        args.pairs = plain ? plain : 1;
        aim(p, x, s, row, first + i, first + (i + 1 < count ? i + 1 : i));
        p->gather(&args);
        args.columns += args.pairs * 4 * p->groups;
    }
}

void te_conv_fast_run(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                      uint32_t rows, void *scratch) {
    const layout s = divide(p, scratch);
    const int32_t pixels = (int32_t)rows * p->out.w;
    for (int32_t first = 0; first < pixels; first += p->block) {
        const int32_t count = pixels - first < p->block ? pixels - first : p->block;
        int8_t *out = y + first * p->out.c;
        gather_block(p, x, &s, (int32_t)row, first, count);
        const te_conv_tiles_args args = {s.columns,           p->weights, s.wide,   out,
                                         (uint32_t)count / 2, count & 1,  p->out.c, p->groups};
        p->tiles(&args);
        te_clamp_s8(out, (uint32_t)(count * p->out.c), p->min, p->max);
    }
}

void te_conv_fast_s8(const te_conv_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view whole = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    te_conv_fast_run(p, &whole, y, 0, p->out.h, scratch);
}
