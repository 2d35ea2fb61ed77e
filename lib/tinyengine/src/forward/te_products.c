/* Packing of lines, and products of lines in portable C; te_products_dsp.S has the inner loops for cores with DSP. */
#include "../support/te_products.h"

#include "../support/te_requant_fixed.h"

static int32_t value_of(const te_lines_of *from, uint32_t line, uint32_t k) {
    if (k >= from->depth) return 0;
    return from->at[(int32_t)line * from->line + (int32_t)k * from->step] - from->zero;
}

/* A group of one line. */
static void pack_values(const te_lines_of *from, uint32_t line, uint32_t k, uint32_t *to) {
    to[0] = te_pack_low((uint32_t)value_of(from, line, k), (uint32_t)value_of(from, line, k + 2));
    to[1] = te_pack_low((uint32_t)value_of(from, line, k + 1), (uint32_t)value_of(from, line, k + 3));
}

/* Two lines whose values lie side by side. */
static void pack_two(const te_lines_of *from, uint32_t line, uint32_t less, uint32_t *to) {
    const int8_t *x = from->at + (int32_t)line * from->line;
    const uint32_t groups = from->depth / 4;
    te_pack_pair(x, x + from->line, groups, less, to);
    if (from->depth % 4)
        for (uint32_t i = 0; i < 2; i++) pack_values(from, line + i, 4 * groups, to + 4 * groups + 2 * i);
}

/* Lines lie side by side: four of them, two pairs that begin `pair` words apart. */
static void pack_four(const te_lines_of *from, uint32_t line, uint32_t less, uint32_t pair, uint32_t *to) {
    const uint32_t groups = from->depth / 4;
    te_pack_four(from->at + line, from->step, groups, less, to, pair);
    if (from->depth % 4)
        for (uint32_t i = 0; i < 4; i++)
            pack_values(from, line + i, 4 * groups, to + 4 * groups + i / 2 * pair + i % 2 * 2);
}

void te_pack_lines(const te_lines_of *from, uint32_t first, uint32_t pairs, uint32_t *to) {
    const uint32_t words = 4 * te_groups(from->depth), zero = (uint32_t)-from->zero;
    const uint32_t less = te_pack_low(zero, zero);
    for (; from->line == 1 && from->step != 1 && pairs >= 2; first += 4, pairs -= 2, to += 2 * words)
        pack_four(from, first, less, words, to);
    for (; pairs; first += 2, pairs--, to += words)
        if (from->step == 1)
            pack_two(from, first, less, to);
        else
            for (uint32_t k = 0; k < from->depth; k += 4)
                for (uint32_t i = 0; i < 2; i++) pack_values(from, first + i, k, to + k + 2 * i);
}

#if !TE_DSP
void te_double_lines(uint32_t *packed, uint32_t words) {
    for (uint32_t i = 0; i < words; i++) packed[i] = te_add_halves(packed[i], packed[i]);
}

void te_pack_pair(const int8_t *x0, const int8_t *x1, uint32_t groups, uint32_t less, uint32_t *to) {
    for (; groups; groups--, x0 += 4, x1 += 4, to += 4) {
        const uint32_t first = te_load_word(x0), second = te_load_word(x1);
        to[0] = te_widen_even_plus(less, first);
        to[1] = te_widen_odd_plus(less, first);
        to[2] = te_widen_even_plus(less, second);
        to[3] = te_widen_odd_plus(less, second);
    }
}

void te_pack_four(const int8_t *x, int32_t step, uint32_t groups, uint32_t less, uint32_t *to,
                  uint32_t pair) {
    for (; groups; groups--, to += 4) {
        uint32_t even[4], odd[4];
        for (uint32_t i = 0; i < 4; i++, x += step) {
            const uint32_t bytes = te_load_word(x);
            even[i] = te_widen_even_plus(less, bytes);
            odd[i] = te_widen_odd_plus(less, bytes);
        }
        to[0] = te_pack_low(even[0], even[2]);
        to[1] = te_pack_low(even[1], even[3]);
        to[2] = te_pack_low(odd[0], odd[2]);
        to[3] = te_pack_low(odd[1], odd[3]);
        to[pair] = te_pack_high(even[0], even[2]);
        to[pair + 1] = te_pack_high(even[1], even[3]);
        to[pair + 2] = te_pack_high(odd[0], odd[2]);
        to[pair + 3] = te_pack_high(odd[1], odd[3]);
    }
}

/* A line of the pair `a` times one of the pair `b`. */
static int32_t product(const uint32_t *a, const uint32_t *b, uint32_t groups) {
    int32_t sum = 0;
    for (uint32_t g = 0; g < groups; g++, a += 4, b += 4)
        sum = te_smlad(a[1], b[1], te_smlad(a[0], b[0], sum));
    return sum;
}

static void products_of_pair(const te_products_args *p, int8_t *y) {
    for (uint32_t j = 0; j < 2 * p->pairs; j++)
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t *b = p->b + j / 2 * 4 * p->groups + j % 2 * 2;
            const int32_t sum = product(p->a + 2 * i, b, p->groups);
            y[i * p->stride + j] = (int8_t)te_round_exact(sum, p->m, p->c, p->e);
        }
}

void te_products_s8(const te_products_args *p) {
    const int8_t *x = p->x;
    int8_t *y = p->y;
    if (x == NULL) {
        products_of_pair(p, y);
        return;
    }
    for (uint32_t row = 0; row < p->rows; row++, x += 2 * p->line, y += 2 * p->stride) {
        te_pack_pair(x, x + p->line, p->groups, p->less, p->a);
        products_of_pair(p, y);
    }
}

void te_products_s32(const te_products_args *p) {
    int32_t *y = p->y;
    for (uint32_t j = 0; j < 2 * p->pairs; j++)
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t *b = p->b + j / 2 * 4 * p->groups + j % 2 * 2;
            y[i * (p->stride / sizeof *y) + j] = product(p->a + 2 * i, b, p->groups);
        }
}
#endif
