/* BATCH_MATMUL, and ReLU linear attention. */
#include "tinyengine/te_matmul.h"

#include "../support/te_products.h"
#include "tinyengine/te_fixed.h"

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Pairs of all lines from `first` on; of an odd number the last pair repeats one. */
static uint32_t pack_all(const te_lines_of *from, uint32_t first, uint32_t lines, uint32_t *to) {
    te_pack_lines(from, first, lines / 2, to);
    if (lines % 2) te_pack_lines(from, first + lines - 2, 1, to + lines / 2 * 4 * te_groups(from->depth));
    return (lines + 1) / 2;
}

/* Two rows of a, or one of them twice. */
static void pack_rows(const te_lines_of *a, const int8_t *first, int32_t line, uint32_t *to) {
    te_lines_of from = *a;
    from.at = first, from.line = line;
    te_pack_lines(&from, 0, 1, to);
}

static void multiply(const te_matmul_params *p, const te_lines_of *a, const te_lines_of *b, int8_t *y,
                     uint32_t *scratch) {
    const uint32_t groups = te_groups(p->depth), less = te_pack_low((uint32_t)-a->zero, (uint32_t)-a->zero);
    const int direct = a->step == 1 && p->depth % 4 == 0;
    te_products_args args = {.a = scratch, .groups = groups, .m = p->m, .c = p->c, .e = p->e, .less = less};
    uint32_t *const packed = scratch + 4 * groups;
    for (uint32_t column = 0; column < p->columns; column += p->block) {
        uint32_t columns = least(p->block, p->columns - column);
        if (columns == 1) columns = 2, column--; /* a pair at least */
        te_double_lines(packed, 4 * groups * pack_all(b, column, columns, packed));
        for (uint32_t row = 0; row < p->rows; row += 2 * args.rows) {
            const int several = row + 1 < p->rows;
            const int8_t *const x = a->at + (int32_t)row * a->line;
            int8_t *const line = y + column + row * p->columns;
            args.rows = direct && several ? (p->rows - row) / 2 : 1;
            args.line = several ? a->line : 0, args.stride = several ? p->columns : 0;
            if (direct)
                args.x = x;
            else
                pack_rows(a, x, args.line, scratch);
            args.b = packed, args.pairs = columns / 2, args.y = line;
            te_products_s8(&args);
            if (columns % 2) {
                args.b += columns / 2 * 4 * groups, args.pairs = 1, args.y = line + columns - 2;
                te_products_s8(&args);
            }
        }
    }
}

void te_matmul_s8(const te_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *y, void *scratch) {
    for (uint32_t n = 0; n < p->batch; n++, y += p->rows * p->columns) {
        const te_lines_of left = {a + p->a.first[n], p->a.line, p->a.step, p->depth, p->a.zero};
        const te_lines_of right = {b + p->b.first[n], p->b.line, p->b.step, p->depth, p->b.zero};
        multiply(p, &left, &right, y, scratch);
    }
}

/* ---- linear attention ---------------------------------------------------------------------------------- */

typedef struct head {
    const te_linear_attention_params *p;
    uint32_t *wide;   /* lines of pixels: two pairs of keys, all values */
    int32_t *mixed;   /* A */
    uint32_t *lines;  /* a pair of queries, the lines of A' */
    int32_t *sums;    /* B, then two lines of sums */
    uint32_t channel; /* the first of its channels */
} head;

/* Of the values of one line of a pair. */
static int32_t sum_of(const uint32_t *line, uint32_t groups) {
    const uint32_t ones = 0x00010001u;
    int32_t sum = 0;
    for (; groups; groups--, line += 4) sum = te_smlad(line[1], ones, te_smlad(line[0], ones, sum));
    return sum;
}

/* A and B of one head. */
static void mix(const head *h, const int8_t *k, const int8_t *v) {
    const te_linear_attention_params *p = h->p;
    const int32_t width = (int32_t)(p->heads * p->depth);
    const uint32_t groups = te_groups(p->pixels);
    const te_lines_of keys = {k + h->channel, 1, width, p->pixels, INT8_MIN};
    const te_lines_of values = {v + h->channel, 1, width, p->pixels, p->value_zero};
    te_products_args args = {.b = h->wide + 8 * groups, .groups = groups, .pairs = p->depth / 2};
    pack_all(&values, 0, p->depth, h->wide + 8 * groups);
    args.stride = p->depth * sizeof *h->mixed;
    for (uint32_t j = 0; j < p->depth; j += 2) {
        if (j % 4 == 0) te_pack_lines(&keys, j, least(2, (p->depth - j) / 2), h->wide);
        args.a = h->wide + j % 4 * 2 * groups;
        for (uint32_t i = 0; i < 2; i++) h->sums[j + i] = sum_of(args.a + 2 * i, groups);
        args.y = h->mixed + j * p->depth;
        te_products_s32(&args);
    }
}

/* The lines of A', packed; returns s. */
static int32_t narrow(const head *h) {
    const uint32_t depth = h->p->depth, words = 4 * te_groups(depth);
    uint32_t bits = 0, *const to = h->lines + words;
    for (uint32_t i = 0; i < depth * depth; i++) bits |= (uint32_t)(h->mixed[i] ^ h->mixed[i] >> 31);
    const int32_t zeros = te_leading_zeros(bits), shift = zeros < 17 ? 17 - zeros : 0;
    const int32_t half = shift ? 1 << (shift - 1) : 0;
    for (uint32_t e = 0; e < depth; e++) {
        uint32_t *const line = to + e / 2 * words + e % 2 * 2;
        for (uint32_t j = 0; j < words; j += 4)
            for (uint32_t i = 0; i < 2; i++) {
                int32_t pair[2] = {0, 0};
                for (uint32_t top = 0; top < 2; top++) {
                    const uint32_t from = j + i + 2 * top;
                    if (from >= depth) continue;
                    const int32_t x = (h->mixed[from * depth + e] + half) >> shift;
                    pair[top] = x > INT16_MAX ? INT16_MAX : x;
                }
                line[j + i] = te_pack_low((uint32_t)pair[0], (uint32_t)pair[1]);
            }
    }
    return shift;
}

/* All channels of one head of one pixel, from the sums of its query with A'. */
static void divide(const head *h, int32_t shift, const int8_t *q, const int32_t *sums, int8_t *y) {
    const te_linear_attention_params *p = h->p;
    uint32_t divisor = p->epsilon;
    for (uint32_t j = 0; j < p->depth; j++) divisor += (uint32_t)((q[j] - INT8_MIN) * h->sums[j]);
    const int32_t zeros = te_leading_zeros(divisor);
    const uint32_t inverse = UINT32_C(0x80000000) / (divisor << zeros >> 16);
    const int32_t factor = (int32_t)((uint64_t)inverse * (uint32_t)p->multiplier >> 17);
    const int32_t exact = 61 - shift - zeros - p->shift;
    const int32_t up = exact < 33 ? 33 - exact : 0, down = (exact < 33 ? 33 : exact > 63 ? 63 : exact) - 32;
    for (uint32_t e = 0; e < p->depth; e++) {
        const int32_t high = (int32_t)((int64_t)(int32_t)((uint32_t)sums[e] << up) * factor >> 32);
        y[e] = (int8_t)te_clamp(((high + (1 << (down - 1))) >> down) + p->zero, INT8_MIN, INT8_MAX);
    }
}

void te_linear_attention_s8(const te_linear_attention_params *p, const int8_t *q, const int8_t *k,
                            const int8_t *v, int8_t *y, void *scratch) {
    const uint32_t depth = p->depth, width = p->heads * depth, groups = te_groups(depth);
    head h = {.p = p, .wide = scratch};
    h.mixed = (int32_t *)(h.wide + (depth + 4) * 2 * te_groups(p->pixels));
    h.lines = (uint32_t *)(h.mixed + depth * depth);
    h.sums = (int32_t *)(h.lines + (depth + 2) * 2 * groups);
    int32_t *const products = h.sums + depth;
    te_products_args args = {
        .a = h.lines, .b = h.lines + 4 * groups, .groups = groups, .pairs = depth / 2, .y = products};
    args.stride = depth * sizeof *products;
    for (; h.channel < width; h.channel += depth) {
        mix(&h, k, v);
        const int32_t shift = narrow(&h);
        te_lines_of queries = {q + h.channel, (int32_t)width, 1, depth, INT8_MIN};
        for (uint32_t pixel = 0; pixel < p->pixels; pixel += 2, queries.at += 2 * width) {
            const uint32_t count = least(2, p->pixels - pixel);
            if (count == 1) queries.line = 0;
            te_pack_lines(&queries, 0, 1, h.lines);
            te_products_s32(&args);
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t at = (pixel + i) * width + h.channel;
                divide(&h, shift, q + at, products + i * depth, y + at);
            }
        }
    }
}
