/* One picture made by several convolutions of te_conv_fast.h, for cores with SMLAD: each reads all channels of
 * the input, or some, and writes some of the output's channels, or some of its pixels.
 *
 * A convolution of groups of channels has a part per group. A transposed convolution has parts for the outputs
 * whose rows and columns leave the same remainders by the strides: they meet the same taps, at neighbouring
 * input pixels. No part needs more scratch memory than a convolution of its size.
 */
#ifndef TE_CONV_PARTS_H
#define TE_CONV_PARTS_H

#include "tinyengine/te_conv_fast.h"

TE_BEGIN_C

/* conv: not a narrow one, without clamp. conv.in.c counts all channels of the input, conv.out those outputs
 * that the part makes. in, out: offsets of its first channel in the input and of its first output; row, pixel:
 * bytes from one of its rows, and pixels, to the next in the output. */
typedef struct te_conv_part {
    te_conv_fast_params conv;
    uint32_t in, out, row, pixel;
} te_conv_part;

typedef struct te_conv_parts_params {
    const te_conv_part *parts;
    uint32_t count;
    uint32_t bytes; /* of the output */
    int16_t min, max;
} te_conv_parts_params;

/* scratch: as te_conv_fast_s8, for the part that needs most. */
void te_conv_parts_s8(const te_conv_parts_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
