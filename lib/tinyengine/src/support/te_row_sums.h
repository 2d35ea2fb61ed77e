/* Sums over all rows of a picture. */
#ifndef TE_ROW_SUMS_H
#define TE_ROW_SUMS_H

#include "te_sum_four.h"
#include "tinyengine/te_row_ops.h"

/* Takes in a row; row 0 starts the sums. */
static inline void te_row_sums_take(const te_row_sums *s, int32_t *sums, const int8_t *values, uint32_t row) {
    uint32_t i = 0;
    if (!row) memset(sums, 0, s->sums * sizeof *sums);
    if (s->pixels <= TE_SUM_FOUR_MAX)
        for (; i + 4 <= s->sums; i += 4) te_sum_four(values + i, 1, 0, s->pixels, s->sums, sums + i);
    for (; i < s->sums; i++)
        for (uint32_t k = 0; k < s->pixels; k++) sums[i] += values[i + k * s->sums];
}

#endif
