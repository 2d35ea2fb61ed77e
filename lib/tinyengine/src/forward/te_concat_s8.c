#include "tinyengine/te_layout.h"

#include <string.h>

void te_concat_s8(const te_concat_params *p, const int8_t *const *inputs, int8_t *y) {
    for (uint32_t turn = 0; turn < p->outer; turn++)
        for (uint32_t i = 0; i < p->inputs; i++) {
            memmove(y, inputs[i] + turn * p->bytes[i], p->bytes[i]);
            y += p->bytes[i];
        }
}
