#include "../support/te_pool_row.h"

void te_max_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y) {
    const te_row_view whole = te_pool_whole(p, x);
    for (uint32_t row = 0; row < p->out.h; row++, y += p->out.w * p->out.c)
        te_pool_row(p, &whole, row, y, te_pool_maximum);
}
