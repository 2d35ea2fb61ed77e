/* Fully connected layer with many inputs, one or two outputs at a time: nothing is widened in advance, so there
 * is no scratch memory. With few outputs that costs nothing, for nobody would use what is widened often.
 *
 * BUDGET, for cores with SMLAD: 13 instructions per 4 inputs of two outputs, 9 of one.
 */
#ifndef TE_DENSE_LONG_H
#define TE_DENSE_LONG_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Sums of a number of outputs, whose weights lie one after the other. */
typedef void te_dense_dots(const int8_t *x, const int8_t *w, uint32_t in, int32_t *sums);

te_dense_dots te_dense_dot, te_dense_two_dots;

typedef struct te_dense_long_params {
    uint32_t in, out;
    uint32_t at_a_time; /* outputs, of which `out` is a multiple: 1 or 2 */
    te_dense_dots *dots;
    const int8_t *weights; /* [out][in] */
    const int32_t *bias;   /* [out], less (zero point of x) * (sum of the output's weights) */
    te_requant requant;
} te_dense_long_params;

/* x is read until the last output is written: they must not overlap. */
void te_dense_long_s8(const te_dense_long_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
