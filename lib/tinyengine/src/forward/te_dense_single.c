#include "tinyengine/te_dense_single.h"

#include "../support/te_pairs.h"
#include "tinyengine/te_requant.h"

static inline int32_t add_four(uint32_t x, uint32_t w, int32_t sum) {
    sum = te_smlad(te_widen_even(x), te_widen_even(w), sum);
    return te_smlad(te_widen_odd(x), te_widen_odd(w), sum);
}

/* The hot loop. */
static int32_t dot(const int8_t *x, const int8_t *w, uint32_t count) {
    int32_t sum = 0;
    for (const int8_t *end = x + count / 16 * 16; x != end; x += 16, w += 16) {
        sum = add_four(te_load_word(x), te_load_word(w), sum);
        sum = add_four(te_load_word(x + 4), te_load_word(w + 4), sum);
        sum = add_four(te_load_word(x + 8), te_load_word(w + 8), sum);
        sum = add_four(te_load_word(x + 12), te_load_word(w + 12), sum);
    }
    for (count %= 16; count >= 4; count -= 4, x += 4, w += 4)
        sum = add_four(te_load_word(x), te_load_word(w), sum);
    for (uint32_t i = 0; i < count; i++) sum += x[i] * w[i];
    return sum;
}

void te_dense_single_s8(const te_dense_single_params *p, const int8_t *x, int8_t *y) {
    *y = te_requantize_once(te_wrap_add(dot(x, p->weights, p->in), p->bias), &p->requant, 0);
}
