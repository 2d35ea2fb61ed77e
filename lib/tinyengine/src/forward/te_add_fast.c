#include "tinyengine/te_add_fast.h"

#include "../support/te_clamp_s8.h"

void te_add_fast_s8(const te_add_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    p->add(&p->constants, a, b, y, p->count);
    te_clamp_s8(y, p->count, p->min, p->max);
}
