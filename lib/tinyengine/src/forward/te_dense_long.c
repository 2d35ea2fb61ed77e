#include "tinyengine/te_dense_long.h"

#include "../support/te_pairs.h"
#include "tinyengine/te_requant.h"

/* Sums of up to two outputs. */
typedef struct two {
    int32_t a, b;
} two;

/* Adds 4 products of each output: of the words `w` and `w + in`. Inlined with a constant `outputs`. */
TE_INLINE void add_four(const int8_t *x, const int8_t *w, uint32_t in, uint32_t outputs, two *sums) {
    const uint32_t word = te_load_word(x), even = te_widen_even(word), odd = te_widen_odd(word);
    const uint32_t a = te_load_word(w), b = outputs == 2 ? te_load_word(w + in) : 0;
    sums->a = te_smlad(even, te_widen_even(a), sums->a);
    sums->a = te_smlad(odd, te_widen_odd(a), sums->a);
    if (outputs < 2) return;
    sums->b = te_smlad(even, te_widen_even(b), sums->b);
    sums->b = te_smlad(odd, te_widen_odd(b), sums->b);
}

/* The hot loop. */
TE_INLINE two dot(const int8_t *x, const int8_t *w, uint32_t in, uint32_t outputs) {
    two sums = {0, 0};
    for (const int8_t *end = x + in / 16 * 16; x != end; x += 16, w += 16) {
        add_four(x, w, in, outputs, &sums);
        add_four(x + 4, w + 4, in, outputs, &sums);
        add_four(x + 8, w + 8, in, outputs, &sums);
        add_four(x + 12, w + 12, in, outputs, &sums);
    }
    for (const int8_t *end = x + in % 16 / 4 * 4; x != end; x += 4, w += 4)
        add_four(x, w, in, outputs, &sums);
    for (uint32_t i = 0; i < in % 4; i++) {
        sums.a += x[i] * w[i];
        if (outputs == 2) sums.b += x[i] * w[i + in];
    }
    return sums;
}

void te_dense_dot(const int8_t *x, const int8_t *w, uint32_t in, int32_t *sums) {
    sums[0] = dot(x, w, in, 1).a;
}

void te_dense_two_dots(const int8_t *x, const int8_t *w, uint32_t in, int32_t *sums) {
    const two both = dot(x, w, in, 2);
    sums[0] = both.a, sums[1] = both.b;
}

void te_dense_long_s8(const te_dense_long_params *p, const int8_t *x, int8_t *y) {
    const int8_t *w = p->weights;
    for (uint32_t o = 0; o < p->out; w += p->at_a_time * p->in) {
        int32_t sums[2];
        p->dots(x, w, p->in, sums);
        for (uint32_t i = 0; i < p->at_a_time; i++, o++)
            y[o] = te_requantize_once(te_wrap_add(sums[i], p->bias[o]), &p->requant, o);
    }
}
