/* Inner kernels of the backward pass: sums of int16 gradients times int8, exact in int32, and what becomes of
 * sums. Each has an assembly version (te_gradient_sums_dsp.S) and a portable twin.
 */
#ifndef TE_GRADIENT_SUMS_H
#define TE_GRADIENT_SUMS_H

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

/* The product of a pointwise input gradient, four input channels and two pixels at a time:
 *     sums[pixel][0..3] = sum over the outputs of gradient * weight
 *
 * WEIGHTS (scratch, widened to int16), per two neighbouring outputs: a word of each of the 4 channels, the lower output in
 * the low half. GRADIENTS: per two neighbouring outputs a word of the first pixel of a pair, and one of the second; an odd last pixel's as they are.
 *
 * REGISTERS: r0 gradients, r1 weights, r2 r3 two outputs of each pixel, r4 r5 weights of two channels, r6-r9 the sums of the
 * first pixel, r10 r11 r12 lr those of the second. BUDGET (M4, cycles): 16 per 16 MACs, 6 per 128 for the loop, 45 per
 * two pixels and 4 channels. M7: 36 per 64 MACs. */
void te_gradient_tile(const te_gradient_tile_args *args);

/* A tap of a depthwise convolution that reaches an output pixel. Both aligned to 4. */
typedef struct te_gradient_tap {
    const int16_t *g; /* gradients of the output pixel */
    const int8_t *w;  /* weights of the tap */
} te_gradient_tap;

/* sums[c] = sum over the taps of g[c] * w[c], two taps at a time; 4 * quads channels, count >= 1.
 * BUDGET: 22 instructions per 8 MACs, in 20 cycles, fewer for the first taps; 15 per two taps. */
void te_depthwise_taps(const te_gradient_tap *taps, uint32_t count, int32_t *sums, uint32_t quads);

/* Weights of 4 input channels, widened for te_gradient_tile: per two neighbouring outputs a word of bytes
 * each at `from` and `second` bytes behind, the next two outputs `pair` bytes further; 8 * groups outputs.
 * BUDGET: 31 instructions per 16 weights, of which 4 load in one batch. */
void te_widen_rows(const int8_t *from, uint32_t second, uint32_t pair, uint32_t groups, uint32_t *to);

/* The same of what te_conv_quads.h has for a group of four values: 16 bytes at `from`, those of the next four outputs `pitch`
 * bytes further. BUDGET: 38 instructions per 16 weights. */
void te_widen_fours(const uint32_t *from, uint32_t pitch, uint32_t groups, uint32_t *to);

/* sums[k] = sum over pixels of x * column k, four columns; per 4 pixels: 4 bytes of x (aligned to 4), and of
 * each column the words (p0, p2), (p1, p3). BUDGET: 13 instructions per 16 MACs, 2 for the loop. */
void te_correlate_4(const int8_t *x, const uint32_t *columns, uint32_t groups, int32_t *sums);

/* All |sums| combined by or; 4 * quads of them. BUDGET: 14 instructions per 4. */
uint32_t te_magnitude_4(const int32_t *sums, uint32_t quads);

/* out = saturated((sums + half) >> shift), shift 2..16; 4 * quads values. BUDGET: 14 instructions per 4. */
void te_round_4(const int32_t *sums, int16_t *out, uint32_t quads, int32_t shift);

/* g = (g * factor + half) >> shift where the mask's bit is 1, else 0, in place; shift 15..31; 16 * units
 * values, two bytes of the mask for each unit (NULL: all bits 1). BUDGET: 25 instructions per 4. */
void te_scale_16(int16_t *g, const int16_t *factor, const uint8_t *mask, uint32_t units, int32_t shift);

TE_END_C

#endif
