/* Convolution for cores with Helium (MVE), in place of the gather and tiles of te_conv_fast.h: 2 pixels x 4
 * channels at a time, 16 products of each by one VMLADAVA. Values stay int8.
 *
 * COLUMNS (made by te_conv_gather_vectors): per pair of pixels `groups` * 8 bytes of the first, as many of the
 * second, then the two words that say where outputs go. A pixel's are its runs, one after the other; what fills
 * the last 16 bytes up is anything.
 *
 * PIXELS: with a kernel of 1 x 1 and stride 1 the picture's own bytes are the columns. 16 bytes may reach into the
 * next pixel; those that would reach beyond the row are copied to scratch first.
 *
 * WEIGHTS (flash), per 4 output channels c0..c3 (the last four once more where channels are no multiple of 4):
 *     4 biases | per 16 k: 16 bytes of c0, of c1, of c2, of c3; zeros fill up | rounding
 * with four words each of
 *     fast   F                        VQRDMLASH: high(2 * acc * F) + zero
 *     exact  M, -e                    VQRDMULH, less 1 if negative, VRSHL, plus zero
 *     wide   left shift, M, s, -e     the same for any multiplier (te_requant_fixed.h); s masks the sign
 * "Less 1 if negative" is VQDMLAH by 1: floor(x + x / 2^31). Zero is the output's: a channel that always gives the
 * same has no weights but a bias that rounds to its result.
 *
 * REGISTERS of the product: r1 r3 the outputs of both pixels (VSTRB.32 wants low registers), r5 weights, r7 count,
 * r9 r11 pixels, r0 r2 r4 r6 and r8 r10 r12 lr the sums of both (VMLADAVA wants even registers), q0 q1 pixels, q2 q3
 * weights. Weights stream by once per pair of pixels. No register that a caller wants back holds a vector.
 *
 * BUDGET, in instructions: 16 per 128 products (8 of them VMLADAVA, 6 loads); 24 per tile of 2 x 4 outputs rounding
 * fast, 31 exactly; about 35 per pair of pixels. Beats are not cycles: a Cortex-M55 takes two for each of the
 * VMLADAVA, and overlaps loads with them.
 */
#ifndef TE_CONV_VECTORS_H
#define TE_CONV_VECTORS_H

#include "tinyengine/te_conv_fast.h"

TE_BEGIN_C

te_conv_gather_fn te_conv_gather_vectors;

/* Of columns; scratch for widened weights is not used. */
te_conv_tiles_fn te_conv_vectors_fast, te_conv_vectors_exact, te_conv_vectors_wide;

/* Of pixels: `pairs` of them of `odd` bytes each; `wide` points to scratch, 16 * groups bytes. */
te_conv_tiles_fn te_conv_pixels_fast, te_conv_pixels_exact, te_conv_pixels_wide;

#define TE_CONV_VECTORS_FAST 4 /* words of rounding per four channels */
#define TE_CONV_VECTORS_EXACT 8
#define TE_CONV_VECTORS_WIDE 16

/* Inner kernels (te_conv_vectors_mve.S): one pair of pixels, `quads` times 4 channels. */
typedef struct te_conv_vectors_args {
    const uint32_t *weights;
    uint32_t vectors; /* of 16 values per pixel */
    uint32_t quads;
    int32_t zero;
} te_conv_vectors_args;

typedef void te_conv_pair_fn(const te_conv_vectors_args *args, const int8_t *x0, const int8_t *x1, int8_t *y0,
                             int8_t *y1);

te_conv_pair_fn te_conv_pair_fast, te_conv_pair_exact, te_conv_pair_wide;

TE_END_C

#endif
