/* Products of te_conv_fast.h, 2 pixels x 4 channels at a time: the same columns, other weights.
 *
 * THE TRICK: an int16 holds the weights of two channels, 256 * w1 + w0. SMLAD adds the products of a pixel
 * with both, 256 * (sum of w1) + (sum of w0); SXTB16 leaves w0 of the pair, whose products another SMLAD
 * adds. What is left of the first sum less the second, shifted, is the other channel's. So a word of weights
 * that is loaded serves four products, and nothing is widened before. It needs w1 > -128 where w0 < 0, and
 * |sum of w1 * x| < 2^23 (the sums wrap until then).
 *
 * WEIGHTS (flash), per four channels; the last four are (n-4 .. n-1) if n is no multiple of 4:
 *     bias c0 | bias c2
 *     per group of 4 k: (k0,k2) of c0 and c1 | (k0,k2) of c2 and c3
 *                     | (k1,k3) of c0 and c1 | (k1,k3) of c2 and c3
 *     bias c1 | bias c3 | rounding
 *
 * The rounding (te_requant_fixed.h; zero is the output's, C = (2 * zero + 1) << (e - 1)) is
 *     of te_conv_quads_fast: 2 F of each channel
 *     of te_conv_quads_exact: e0 + (e1 << 8) + (e2 << 16) + (e3 << 24), then M of each; the biases of c1 and
 *         c3 are doubled
 *     the same, where one of the four has a multiplier of 0.5 or more: TE_CONV_QUADS_WIDE, then M C e l s of
 *         each
 *
 * Before the product all that is copied to scratch memory, because reading flash takes longer on most chips;
 * unless there are few pairs of pixels (up to three), which read it less often than the copy would pay for.
 * There the rounding of te_conv_quads_exact is M0 C0 M1 C1 M2 C2 M3 C3 and the word of e; a wide one stays.
 *
 * REGISTERS: r0 columns, r1 weights, r2 r3 the word of each pixel, r4 r5 that of two channels each, the sums
 * of c0 in r6 r7 (pixels 0, 1), of c0 and c1 in r8 r9, of c2 in r10 r11, of c2 and c3 in r12 lr. Single
 * loads, four in a row: a Cortex-M4 takes 5 cycles for them, for a load of n registers at once n + 1. A
 * Cortex-M7 issues a load beside a multiplication: there they lie in between, and read half a group ahead.
 *
 * An odd last pixel has a loop of its own over the same columns.
 *
 * BUDGET (M4, cycles): 30 per group of 32 products (odd pixel: 24 per 16), 6 per pass of the loop; 54 per tile
 * of 2 x 4 outputs rounding fast, 88 exactly, 5 to enter the loop; 0.69 per weight and block for the copy. M7:
 * 16 per group.
 */
#ifndef TE_CONV_QUADS_H
#define TE_CONV_QUADS_H

#include "tinyengine/te_conv_fast.h"

TE_BEGIN_C

#define TE_CONV_QUADS_WIDE 0x80000000u
#define TE_CONV_QUADS_FAST_WORDS 4 /* of rounding per four channels */
#define TE_CONV_QUADS_EXACT_WORDS 5
#define TE_CONV_QUADS_WIDE_WORDS 21

/* Instead of te_conv_tiles_..., for four channels at least. */
te_conv_tiles_fn te_conv_quads_fast, te_conv_quads_exact;

TE_END_C

#endif
