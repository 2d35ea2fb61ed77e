/* Depthwise convolution with any window, stride, dilation, padding and multiplier: the kernel for shapes that
 * te_depthwise_fast.h and te_depthwise_column.h do not cover.
 *
 * BUDGET, for cores with SMLAD: 13 instructions per 4 products and 100 per 4 outputs where 4 channels are left
 * and the multiplier is 1, else 9 per product; 10 per tap and pixel at the edges of the picture.
 */
#ifndef TE_DEPTHWISE_DIRECT_H
#define TE_DEPTHWISE_DIRECT_H

#include "tinyengine/te_rows.h"
#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_depthwise_direct_params {
    te_hwc in, out; /* out.c = in.c * multiplier */
    te_window window;
    uint16_t multiplier; /* output channel o reads input channel o / multiplier */
    int16_t in_zero, min, max;
    const uint32_t *weights;  /* [out.c / 4, rounded up][kh][kw], a byte per channel */
    const int32_t *constants; /* [out.c][6]: bias less (zero point of x) * (sum of the weights), M C e l s */
} te_depthwise_direct_params;

/* Pixel by pixel, four channels at a time, each written when its pixels have been read. scratch: 8 bytes per tap. */
void te_depthwise_direct_s8(const te_depthwise_direct_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same by rows (te_rows.h); te_depthwise_direct_params, and the same scratch. */
void te_depthwise_direct_rows(const void *params, const te_row_job *job);

TE_END_C

#endif
