#include "../support/te_mean_round.h"
#include "../support/te_sum_four.h"

/* Sum of the values that one output averages. */
static int32_t sum_from(const te_reduce *s, const int8_t *row) {
    int32_t sum = 0;
    for (uint32_t r = 0; r < s->reduce[0]; r++, row += s->reduce_stride[0]) {
        const int8_t *value = row;
        for (uint32_t k = 0; k < s->reduce[1]; k++, value += s->reduce_stride[1]) sum += *value;
    }
    return sum;
}

void te_mean_s8(const te_mean_params *p, const int8_t *x, int8_t *y) {
    const te_reduce *s = &p->shape;
    const te_mean_round round = te_mean_round_of(p, s->reduce[0] * s->reduce[1]);
    const int four = s->keep_stride[1] == 1 && s->reduce[1] <= TE_SUM_FOUR_MAX;
    for (uint32_t i = 0; i < s->keep[0]; i++, x += s->keep_stride[0]) {
        uint32_t j = 0;
        for (; four && j + 4 <= s->keep[1]; j += 4) {
            int32_t sums[4] = {0, 0, 0, 0};
            te_sum_four(x + j, s->reduce[0], s->reduce_stride[0], s->reduce[1], s->reduce_stride[1], sums);
            for (uint32_t k = 0; k < 4; k++) *y++ = te_mean_of(p, &round, sums[k]);
        }
        for (; j < s->keep[1]; j++) *y++ = te_mean_of(p, &round, sum_from(s, x + j * s->keep_stride[1]));
    }
}
