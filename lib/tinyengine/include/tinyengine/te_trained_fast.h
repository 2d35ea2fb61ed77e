/* The fast kernels of te_conv_fast.h and te_depthwise_fast.h for layers with trained constants: what training
 * changes lies in SRAM, everything else in flash, packed for the kernel. What a kernel reads next is put
 * together in scratch memory, so that the same inner loops run. These layers round exactly.
 *
 * Channels whose result is constant (dead ones) are complete in flash, and nothing of theirs is looked up in
 * SRAM: their biases may be too large to be added.
 */
#ifndef TE_TRAINED_FAST_H
#define TE_TRAINED_FAST_H

#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_depthwise_fast.h"

TE_BEGIN_C

typedef struct te_conv_trained_fast_params {
    /* weights: its bias is -zero * (sum of the weights in flash), its trained weights are 0. With `whole` the
     * weights themselves are left out: per pair of channels biases and rounding. */
    te_conv_fast_params conv;
    const int32_t *bias;    /* SRAM, [out.c] */
    const int8_t *values;   /* SRAM, [out.c][count]: the trained weights; null if count is 0 */
    const uint16_t *places; /* [count]: where they go: byte of the first channel's in the pair's weights */
    const uint8_t *live;    /* per pair of channels: 1 the first, 2 the second is not constant; null: all */
    uint16_t count;
    uint16_t round_words; /* of the variant: TE_CONV_ROUND_EXACT or TE_CONV_ROUND_WIDE */
    uint8_t doubled;      /* of the variant: 1 if biases are doubled */
    uint8_t whole;        /* 1: all weights are trained, and lie in the kernel's order in whole words */
    /* 1: only biases are trained, and the kernel is te_conv_quads_exact, none of whose channels rounds the wide way. `live`
     * is then per four channels, and round_words TE_CONV_QUADS_EXACT_WORDS. */
    uint8_t fours;
} te_conv_trained_fast_params;

/* Pair of channels by pair of channels, or four by four. scratch: 2 * groups + 2 + round_words words (four by four
 * 4 * groups + 4 + round_words) in front of what
 * te_conv_fast_s8 takes. BUDGET per pair and block of pixels: about 110; per weight in flash 0.13, per
 * trained one 6 (with `whole` 1.7). */
void te_conv_trained_fast_s8(const te_conv_trained_fast_params *p, const int8_t *x, int8_t *y, void *scratch);

#define TE_DEPTHWISE_LIMIT_STEP 32
#define TE_DEPTHWISE_CONSTANT 32767

typedef struct te_depthwise_trained_fast_params {
    /* Of map_constants, or without map of channels, the bias counts from 0: with map the layer's own, else
     * less zero * (sum of the taps). No other channel is plain, and multipliers are below 0.5. Where all
     * weights are trained, packed is null. */
    te_depthwise_fast_params depthwise;
    const int32_t *bias; /* SRAM, [out.c] */
    /* [out.c][2]: least and largest bias, as map_constants or channels want it, with which no field
     * overflows, in steps of TE_DEPTHWISE_LIMIT_STEP; beyond, a channel runs plainly. Least =
     * TE_DEPTHWISE_CONSTANT: a channel with a constant result. Not of channels with trained weights, unless
     * they are constant. */
    const int16_t *limits;
    /* Only with map: SRAM, taps of the channels `trained` (ascending), one tap after another, from the first
     * that ever meets a pixel; row_bytes between rows of the kernel. */
    const int8_t *values;
    const uint16_t *trained;
    uint16_t count, row_bytes;
} te_depthwise_trained_fast_params;

/* y == x or disjoint, as for te_depthwise_fast_s8. scratch: in front of what that takes, words for a table of
 * all channels: 2 each with map, else 4; and, if weights are trained, kh * kw bytes in whole words. BUDGET:
 * 10 (20) per channel; with trained weights 8 per tap and 400. */
void te_depthwise_trained_fast_s8(const te_depthwise_trained_fast_params *p, const int8_t *x, int8_t *y,
                                  void *scratch);

TE_END_C

#endif
