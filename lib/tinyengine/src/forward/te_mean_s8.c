#include "tinyengine/te_pool.h"

#include "../support/te_requant.h"

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
    const int32_t offset = (int32_t)(s->reduce[0] * s->reduce[1]) * p->in_zero;
    for (uint32_t i = 0; i < s->keep[0]; i++)
        for (uint32_t j = 0; j < s->keep[1]; j++) {
            const int32_t sum = sum_from(s, x + i * s->keep_stride[0] + j * s->keep_stride[1]) - offset;
            const int32_t mean = te_scale(sum, p->multiplier, p->shift);
            *y++ = (int8_t)te_clamp(te_wrap_add(mean, p->out_zero), INT8_MIN, INT8_MAX);
        }
}
