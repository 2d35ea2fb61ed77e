/* Depthwise convolution whose window is as wide as the picture (a window over time, a whole map), without
 * padding: every output pixel is a sum over pixels one of which lies a constant step behind the other.
 *
 * BUDGET, for cores with SMLAD: 13 instructions per 4 products, 100 per 4 outputs.
 */
#ifndef TE_DEPTHWISE_COLUMN_H
#define TE_DEPTHWISE_COLUMN_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_depthwise_column_params {
    uint32_t rows, channels; /* of the output, which has one column */
    uint32_t row_step;       /* bytes from the first tap of an output row to that of the next one */
    uint32_t taps, tap_step; /* bytes from tap to tap */
    int16_t min, max;
    const uint32_t *weights; /* [channels / 4, rounded up][taps], a byte per channel */
    const int32_t
        *constants; /* [channels][6]: bias less (zero point of x) * (sum of the weights), M C e l s */
} te_depthwise_column_params;

/* Row by row, four channels at a time, each written when nobody needs its pixels any more: y may be x. */
void te_depthwise_column_s8(const te_depthwise_column_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
