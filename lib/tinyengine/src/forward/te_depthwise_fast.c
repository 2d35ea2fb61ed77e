/* Depthwise convolution channel by channel over a ring of rows; the row kernels are in
 * te_depthwise_fast_{dsp.S,ref.c}. */
#include "../support/te_depthwise_fast_run.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_pairs.h"
#include "../support/te_requant_fixed.h"

typedef te_depthwise_fast_params params;

typedef te_depthwise_batch batch;
typedef te_depthwise_channel channel;

static int is_plain(const params *p, int32_t c) {
    return p->channels[4 * c + 3] >> 16;
}

static channel channel_of(const params *p, int32_t c) {
    const int32_t *from = p->channels + 4 * c;
    const channel ch = {from[0], from[1], from[2], from[3] & 0xff, from[3] >> 8 & 0xff};
    return ch;
}

static const int8_t *packed_of(const params *p, int32_t c) {
    return p->packed + c * p->window.kh * p->tap_bytes;
}

/* ---- as polynomials ------------------------------------------------------------------------------------ */

static void fill_with_padding(const params *p, uint32_t *ring, uint32_t words) {
    const uint32_t pair = (uint32_t)p->in_zero + ((uint32_t)p->in_zero << 21);
    for (uint32_t i = 0; i < words; i++) ring[i] = pair;
}

/* Its arguments must not take stack while the other ways run. */
__attribute__((noinline)) static void run_polynomial(const params *p, int32_t c, int32_t count,
                                                     const batch *b, uint32_t *ring) {
    const uint32_t unit = p->unit_words * (uint32_t)p->window.kh;
    const int32_t first = b->row * p->window.sh - p->window.pad_top, existing = first > 0 ? first : 0;
    const int32_t capacity = (int32_t)b->x->capacity, wrap = existing - existing % capacity + capacity;
    fill_with_padding(p, ring, p->units * unit);
    const te_depthwise_run_args args = {
        .x = te_row_of(b->x, (uint32_t)existing) + c,
        .pitch = p->in.c,
        .words = ring + p->first_unit * unit,
        .width = p->in.w,
        .zero = p->in_zero,
        .unit = 4 * unit,
        .phase = p->phase,
        .units = (uint32_t)p->units - p->first_unit,
        .first = first,
        .segment = wrap < p->in.h ? wrap : p->in.h,
        .line = (int32_t)b->x->row_bytes,
        .out_line = b->line,
        .y = b->y + c,
        .rows = (uint32_t)b->rows,
        .outputs = p->out.w,
        .stride = p->window.sh,
        .ring = ring,
        .taps = ring + p->units * unit,
        .packed = packed_of(p, c),
        .constants = p->channels + 4 * c,
        .channels = (uint32_t)count,
        .height = p->in.h,
        .wrapped = capacity * (int32_t)b->x->row_bytes,
    };
    p->run(&args);
}

/* ---- as polynomials, all rows of a channel at once ----------------------------------------------------- */

static int32_t at_most(int32_t a, int32_t b) {
    return a < b ? a : b;
}

#if TE_DSP
/* The table of te_depthwise_map.h, at `row`; returns its end. `staged` is row `existing` of x. */
static te_depthwise_map_row *make_table(const params *p, const batch *b, te_depthwise_map_row *row,
                                        const uint32_t *staged, int32_t existing, const uint32_t *taps) {
    const int32_t kernel = p->window.kh, tap_words = kernel / 2 + 1;
    for (int32_t i = 0; i < b->rows; i++, row++) {
        const int32_t top = (b->row + i) * p->window.sh - p->window.pad_top, first = top > 0 ? top : 0;
        row->pixels = staged + (first - existing - 1) * p->row_words;
        row->taps = taps + (first - top) * tap_words;
        row->rows = (uint32_t)(at_most(top + kernel, p->in.h) - first);
    }
    return row;
}
#endif

void te_depthwise_run_map(const params *p, int32_t c, int32_t count, const int8_t *packed,
                          const int32_t *constants, const batch *b, uint32_t *scratch) {
    const int32_t kernel = p->window.kh, stride = p->window.sh, words = p->row_words;
    const int32_t first = b->row * stride - p->window.pad_top, existing = first > 0 ? first : 0;
    const int32_t behind = first + (b->rows - 1) * stride + kernel, end = at_most(behind, p->in.h);
    const int32_t capacity = (int32_t)b->x->capacity, wrap = existing - existing % capacity + capacity;
    uint32_t *staged = scratch, *rest = scratch + (end - existing) * words;
    te_depthwise_map_args args = {
        .x = te_row_of(b->x, (uint32_t)existing) + c,
        .wrapped = capacity * (int32_t)b->x->row_bytes,
        .pitch = p->in.c,
        .line = (int32_t)b->x->row_bytes,
        .zero = p->in_zero,
        .y = b->y + c,
        .out_line = b->line,
        .packed = packed,
        .constants = constants,
        .channels = (uint32_t)count,
        .out_zero = p->out_zero,
        .top = first - existing,
        .rows = (uint32_t)b->rows,
    };
    if (kernel == 3) { /* rows of padding as well */
        for (int32_t i = 0; i < (behind - first) * words; i++) scratch[i] = 0;
        staged += (existing - first) * words;
        args.begin = scratch;
        args.end = scratch + b->rows * stride * words;
    } else {
        args.taps = rest;
#if TE_DSP
        te_depthwise_map_row *table = (te_depthwise_map_row *)(void *)(rest + kernel * (kernel / 2 + 1));
        args.begin = table;
        args.end = make_table(p, b, table, staged, existing, rest);
#endif
    }
    args.staged = staged;
    args.first_end = staged + (at_most(wrap, end) - existing) * words;
    args.staged_end = staged + (end - existing) * words;
    p->map(&args);
}

/* ---- plainly ------------------------------------------------------------------------------------------- */

/* Rows of int16: a ring of kh of them, then the taps with an even number of columns. */
typedef struct plain_rows {
    int16_t *ring, *taps;
    int32_t width, columns;
} plain_rows;

static void fetch(const params *p, const plain_rows *r, const te_row_view *x, int32_t c, int32_t iy,
                  int16_t *to) {
    const int32_t channels = p->in.c, left = p->window.pad_left;
    const int inside = iy >= 0 && iy < p->in.h;
    const int8_t *from = te_row_of(x, inside ? (uint32_t)iy : 0) + c;
    for (int32_t i = 0; i < r->width; i++) {
        const int32_t ix = i - left;
        to[i] = inside && ix >= 0 && ix < p->in.w ? from[ix * channels] : p->in_zero;
    }
}

static int32_t plain_output(const params *p, const plain_rows *r, int32_t first_slot, int32_t ox,
                            int32_t sum) {
    const int16_t *w = r->taps;
    for (int32_t ky = 0, slot = first_slot; ky < p->window.kh; ky++) {
        const int16_t *x = r->ring + slot * r->width + ox * p->window.sw;
        for (int32_t k = 0; k < r->columns; k += 2, w += 2)
            sum = te_smlad(te_load_word(x + k), te_load_word(w), sum);
        slot = slot + 1 == p->window.kh ? 0 : slot + 1;
    }
    return sum;
}

void te_depthwise_run_plain(const params *p, int32_t c, const int8_t *packed, const channel *ch,
                            const batch *b, int16_t *scratch) {
    const int32_t kernel = p->window.kh, channels = p->in.c;
    plain_rows r;
    r.width = (p->out.w - 1) * p->window.sw + p->window.kw +
              1; /* one more: an odd last tap is loaded with a zero one */
    r.columns = (p->window.kw + 1) / 2 * 2;
    r.ring = scratch;
    r.taps = scratch + (r.width * kernel + 1) / 2 * 2;
    for (int32_t i = 0; i < kernel * r.columns; i++) r.taps[i] = 0;
    for (int32_t ky = 0; ky < kernel; ky++)
        for (int32_t k = 0; k < p->tap_bytes; k++)
            r.taps[ky * r.columns + p->columns[k]] = (int16_t)(r.taps[ky * r.columns + p->columns[k]] +
                                                               *packed++); /* zero taps may share a column */
    int8_t *y = b->y + c;
    int32_t slot = 0, top = 0, next = b->row * p->window.sh - p->window.pad_top, missing = kernel;
    for (int32_t i = 0; i < b->rows; i++) {
        for (; missing > 0; missing--, next++) {
            fetch(p, &r, b->x, c, next, r.ring + slot * r.width);
            slot = slot + 1 == kernel ? 0 : slot + 1;
        }
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            const int32_t sum = plain_output(p, &r, top, ox, ch->bias);
            y[ox * channels] = (int8_t)te_round_wide(sum, ch->m, ch->c, ch->e, ch->l, ch->e ? -1 : 0);
        }
        y += b->line;
        missing = p->window.sh;
        top = (top + p->window.sh) % kernel;
    }
}

static void run_all_channels(const params *p, const batch *b, void *scratch) {
    const int32_t channels = p->in.c;
    for (int32_t c = 0; c < channels;) {
        int32_t end = p->some_plain ? c : channels;
        while ((p->run || p->map) && end < channels && !is_plain(p, end)) end++;
        if (end > c) {
            if (p->map)
                te_depthwise_run_map(p, c, end - c, packed_of(p, c), p->map_constants + 2 * c, b, scratch);
            else
                run_polynomial(p, c, end - c, b, scratch);
            c = end;
        } else {
            const channel ch = channel_of(p, c);
            te_depthwise_run_plain(p, c, packed_of(p, c), &ch, b, scratch);
            c++;
        }
    }
}

void te_depthwise_fast_run(const te_depthwise_fast_params *p, const te_row_view *x, const te_row_view *y,
                           uint32_t to, uint32_t row, uint32_t rows, void *scratch) {
    for (uint32_t made = 0, count; made < rows; made += count) {
        count = te_rows_in_line(y, to + made, rows - made);
        const batch b = {x, te_row_of(y, to + made), (int32_t)(row + made), (int32_t)count,
                         (int32_t)y->row_bytes};
        run_all_channels(p, &b, scratch);
        for (uint32_t i = 0; i < count; i++)
            te_clamp_s8(b.y + i * y->row_bytes, (uint32_t)p->out.w * p->out.c, p->min, p->max);
    }
}

void te_depthwise_fast_s8(const te_depthwise_fast_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const te_row_view from = {(int8_t *)(uintptr_t)x, (uint32_t)p->in.w * p->in.c, p->in.h}; /* only read */
    const te_row_view to = {y, (uint32_t)p->out.w * p->out.c, p->out.h};
    te_depthwise_fast_run(p, &from, &to, 0, 0, p->out.h, scratch);
}
