/* Sums over all rows of a picture. */
#ifndef TE_ROW_SUMS_H
#define TE_ROW_SUMS_H

#include "tinyengine/te_row_ops.h"

#include <string.h>

/* Takes in a row; row 0 starts the sums. */
static inline void te_row_sums_take(const te_row_sums *s, int32_t *sums, const int8_t *values, uint32_t row) {
    if (!row) memset(sums, 0, s->sums * sizeof *sums);
    for (uint32_t k = 0; k < s->pixels; k++)
        for (uint32_t i = 0; i < s->sums; i++) sums[i] += *values++;
}

#endif
