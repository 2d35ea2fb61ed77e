/* One row of te_add_rows. */
#ifndef TE_ADD_ROW_H
#define TE_ADD_ROW_H

#include "te_clamp_s8.h"
#include "tinyengine/te_row_ops.h"

static inline void te_add_row(const te_add_rows_params *p, const int8_t *x, const int8_t *skip, int8_t *y) {
    p->add(&p->constants, p->skip_first ? skip : x, p->skip_first ? x : skip, y, p->count);
    te_clamp_s8(y, p->count, p->min, p->max);
}

#endif
