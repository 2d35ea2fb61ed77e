/* Fully connected layer with a single output: nothing is widened in advance, for nobody would use it twice.
 *
 * BUDGET, for cores with SMLAD: 9 instructions per 4 inputs.
 */
#ifndef TE_DENSE_SINGLE_H
#define TE_DENSE_SINGLE_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_dense_single_params {
    uint32_t in;
    const int8_t *weights; /* [in] */
    int32_t bias;          /* less (zero point of x) * (sum of the weights) */
    te_requant requant;
} te_dense_single_params;

/* x is read before y is written. */
void te_dense_single_s8(const te_dense_single_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
