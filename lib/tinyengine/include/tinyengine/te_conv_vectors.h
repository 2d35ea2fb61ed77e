/* Convolution for cores with Helium (MVE), in place of the gather and tiles of te_conv_fast.h: 2 pixels x 4
 * channels at a time, 16 products of each by one VMLADAVA. Values stay int8.
 *
 * COLUMNS (scratch, a block of pixels at a time): per pixel `groups` * 8 bytes, its runs one after the other; what
 * fills the last 16 bytes up is anything. A run's vectors are copied for all pixels of an output row at a time.
 *
 * PIXELS: with a kernel of 1 x 1 and stride 1 the picture's own bytes are the columns. 16 bytes may reach into the
 * next pixel; those that would reach beyond the row are copied to scratch first, and so are blocks of pixels of no
 * more than 16 values, if `block` is more than 2.
 *
 * WEIGHTS (flash), per 4 output channels c0..c3 (the last four once more where channels are no multiple of 4):
 *     per 16 k: 16 bytes of c0, of c1, of c2, of c3; zeros fill up | 4 biases | rounding
 * The first vector of 16 k comes first, then the others from the last to the second. Rounding has four words each of
 *     fast   F                        VQRDMLASH: high(2 * acc * F) + zero
 *     exact  M, -e                    VQRDMULH, less 1 if negative, VRSHL, plus zero
 *     wide   left shift, M, s, -e     the same for any multiplier (te_requant_fixed.h); s masks the sign
 * "Less 1 if negative" is VQDMLAH by 1: floor(x + x / 2^31). Zero is the output's: a channel that always gives the
 * same has no weights but a bias that rounds to its result.
 *
 * REGISTERS of the product: r1 r3 the outputs of both pixels (VSTRB.32 wants low registers), r5 weights, r7 entry into
 * the chain, r9 r11 the 8th vector of both pixels, r0 r2 r4 r6 and r8 r10 r12 lr their sums (VMLADAVA wants even
 * registers), q0 q1 pixels, q2 q3 weights. The products of 15 vectors lie one after the other (the chain), so that
 * pixels are loaded from fixed offsets and nothing counts; what a pixel has beyond is multiplied in a loop. Weights
 * stream by once per pair of pixels.
 *
 * A single vector per pixel: four channels' weights, biases and F stay in registers while all pixels of the block
 * stream by: q0-q3 weights, q4 q5 pixels, then sums, q6 q7 constants, r0 r2 r4 r6 r8 r10 r12 sums.
 *
 * BUDGET, in instructions: 14 per 128 products (8 of them VMLADAVA, 6 loads; 16 beyond the chain); 20 per tile of
 * 2 x 4 outputs rounding fast, 26 exactly; 14 per pair of pixels. Of a single vector: 27 per tile (exactly 34). Columns:
 * 6 per pixel and 16 bytes of a run. Beats are not cycles: a Cortex-M55 takes two for each of the VMLADAVA, and
 * overlaps loads with them.
 */
#ifndef TE_CONV_VECTORS_H
#define TE_CONV_VECTORS_H

#include "tinyengine/te_conv_fast.h"

TE_BEGIN_C

/* te_conv_fast_params.run. scratch: a block's columns; of pixels, 16 * groups bytes, or none where pixels fill whole
 * vectors. */
te_conv_run_fn te_conv_vectors_fast, te_conv_vectors_exact, te_conv_vectors_wide;

#define TE_CONV_VECTORS_FAST 4 /* words of rounding per four channels */
#define TE_CONV_VECTORS_EXACT 8
#define TE_CONV_VECTORS_WIDE 16

/* Inner kernels (te_conv_vectors_mve.S): pairs of pixels, `quads` times 4 channels. */
typedef struct te_conv_vectors_args {
    const int8_t *x;
    uint32_t second, next; /* bytes from a pair's first pixel to its second, and to the next pair */
    int8_t *y;
    uint32_t channels; /* bytes from output to output */
    uint32_t pairs;
    const uint32_t *weights;
    uint32_t vectors; /* of 16 values per pixel */
    uint32_t quads;
    int32_t zero;
} te_conv_vectors_args;

typedef void te_conv_pairs_fn(const te_conv_vectors_args *args);

te_conv_pairs_fn te_conv_pairs_fast, te_conv_pairs_exact, te_conv_pairs_wide;

#if TE_MVE
/* Of columns with one vector per pixel. All channels of the first quad are written before x is read again. */
te_conv_pairs_fn te_conv_vector_fast, te_conv_vector_exact, te_conv_vector_wide;
#endif

/* `count` pieces of `bytes`, `step` apart at x, `apart` at `to`. */
void te_conv_gather_vectors(int8_t *to, uint32_t apart, const int8_t *x, uint32_t step, uint32_t count,
                            uint32_t bytes);

TE_END_C

#endif
