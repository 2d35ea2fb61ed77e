/* MUL of two tensors of one shape, or of one that serves all rows of the other; TFLite's rounding exactly
 * (te_requant_fixed.h, for multipliers below 0.5).
 *
 * BUDGET: 39 instructions per 4 elements: with the zero points subtracted, two elements in a word, one operand doubled.
 */
#ifndef TE_MUL_FAST_H
#define TE_MUL_FAST_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_mul_fast_params {
    uint32_t rows, count;    /* rows of `count` elements each */
    uint32_t step_a, step_b; /* from one row to the next: count, or 0 for one row that serves all */
    const int8_t *constant;  /* b of te_mul_fast_const_s8 */
    int16_t zero_a, zero_b, min, max;
    int32_t m, c, e;
} te_mul_fast_params;

/* y may be an operand that has all rows, or trail it. */
void te_mul_fast_s8(const te_mul_fast_params *p, const int8_t *a, const int8_t *b, int8_t *y);
void te_mul_fast_const_s8(const te_mul_fast_params *p, const int8_t *a, int8_t *y);

TE_END_C

#endif
