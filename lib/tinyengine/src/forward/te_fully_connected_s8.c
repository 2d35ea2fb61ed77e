#include "tinyengine/te_conv.h"

#include "../support/te_requant.h"

void te_fully_connected_s8(const te_fully_connected_params *p, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->in) {
        const int8_t *w = p->weights;
        for (uint32_t o = 0; o < p->out; o++, w += p->in) {
            int32_t acc = 0;
            for (uint32_t i = 0; i < p->in; i++) acc += x[i] * w[i];
            *y++ = te_requantize_once(te_wrap_add(acc, p->bias[o]), &p->requant, o);
        }
    }
}
