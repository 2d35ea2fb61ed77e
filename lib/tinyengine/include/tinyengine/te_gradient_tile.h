/* The product of a pointwise input gradient: int16 gradients times int8 weights, exact in int32.
 *
 * Four input channels at a time, pixel by pixel:
 *     sums[pixel][0..3] = sum over the outputs of gradient * weight
 *
 * WEIGHTS (scratch, widened to int16), per 8 outputs and each of the 4 channels: four words, each of two
 * neighbouring outputs, the lower one in the low half. GRADIENTS lie as they are: [pixel][output].
 *
 * REGISTERS: r0 gradients, r1 weights, r2-r5 8 gradients, r6-r9 8 weights of a channel, r10 r11 r12 lr sums.
 * BUDGET: 21 instructions per 32 MACs, 3 per 64 for the loop, 15 per pixel and 4 channels. Widening takes 15
 * per 8 weights, once per block of pixels.
 */
#ifndef TE_GRADIENT_TILE_H
#define TE_GRADIENT_TILE_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_gradient_tile_args {
    const int16_t *g; /* aligned to 4 */
    const uint32_t *weights;
    int32_t *sums;
    uint32_t sums_pitch; /* bytes from pixel to pixel */
    uint32_t pixels;     /* at least 1 */
    uint32_t groups;     /* of 8 outputs; at least 1 */
} te_gradient_tile_args;

void te_gradient_tile(const te_gradient_tile_args *args);

TE_END_C

#endif
