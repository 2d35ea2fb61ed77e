/* Convolution (any kernel, stride, dilation, padding) as blocks of a matrix product, for cores with SMLAD.
 *
 * Block by block of output pixels: *gather* writes the receptive fields of the block's pixels into scratch,
 * in the order in which the product reads them; then *tiles* computes all output channels of these pixels, 2
 * pixels x 2 channels at a time. A block's inputs are all read before its outputs are written, so outputs may
 * trail inputs.
 *
 * Each inner kernel is one assembly macro (te_conv_fast_dsp.S) with a portable twin (te_conv_fast_ref.c) that
 * reads the same constants and the same scratch layout and gives the same bytes.
 *
 * COLUMNS (scratch, made by gather): per pair of pixels (p0, p1), per 4 values k0..k3 of their receptive
 * fields, four words of two int16 each, low half first, as SXTB16 makes them of four bytes:
 *     (k0,k2) of p0 | (k0,k2) of p1 | (k1,k3) of p0 | (k1,k3) of p1
 * Values are raw input bytes; positions outside the picture hold the input's zero point, so that one bias,
 * less zero * (sum of weights), serves every pixel. An odd last pixel is its own partner. With the doubled
 * variants all values are doubled, which saves the exact rounding one instruction per output. Behind a pair's
 * groups two words say where its outputs go: bytes of p0 and of p1 from the output of the block's last whole
 * pair. So the product keeps no output pointer, and an offset of 0 ends its loop. These words depend only on
 * the number of pixels: they are written once per call, not per block.
 *
 * ORDER OF K: the receptive field is a list of *runs* of contiguous input bytes (kernel rows; single taps if
 * dilated). First all whole groups of 4 bytes of each run; then the 0..3 remaining bytes of each run, one run
 * after another, as "tail" t0 t1 t2...: the tail's group j holds
 *     k0 = t[4j], k2 = t[4j+1], k1 = t[4j+2], k3 = t[4j+3]
 *
 * WEIGHTS (flash), per pair of output channels (c0, c1):
 *     bias c0 | bias c1 | per group of 4 k: 4 bytes of c0, 4 bytes of c1 | rounding
 * with the rounding of the variant (te_requant_fixed.h):
 *     te_conv_tiles_exact   M0, M1, (e0 - 1) + (e1 - 1 << 8)
 *     te_conv_tiles_fast    2 F0, 2 F1
 *     te_conv_tiles_wide    M C e l s per channel
 * Zero is the output's, C = (2 * zero + 1) << (e - 1): a channel that always gives the same has no constants
 * of its own but zero weights and a bias that rounds to its result. With an odd number of channels the last
 * pair is (n-2, n-1) once more; one channel alone is paired with itself. Before the product the pair's
 * weights are widened to int16 in scratch, in the order of COLUMNS with channels in place of pixels. There
 * the biases follow the first group, so that one LDM loads both, and the rounding lies between the address of
 * the widened weights and that of the outputs: one LDM at the end of a tile gives all that it needs, and sets
 * the weights' pointer back.
 *
 * REGISTERS of the product: r0 columns, r1 weights, r2-r5 and r6-r9 one group of each (LDM), r10 r11 r12 lr
 * the sums of p0c0 p1c0 p0c1 p1c1. No register is left: ends and the entry into the unrolled loop are in a
 * stack frame. An odd last pixel runs in a loop of its own over the same columns.
 *
 * BUDGET, in instructions
 *   product   10 per 16 MACs (odd pixel: 6 per 8), 1 per tile to enter the loop, 1 more and 3 per pass
 *             beyond TE_CONV_UNROLL groups
 *   tile      of 2 x 2 outputs: 17 for rounding exactly (13 with doubled columns, 5 for rounding fast), 11
 *             for stores and the loop
 *   weights   11 per 16, once per pair of channels
 *   gather    per pair of pixels: 7 per 4 values and 12 per run; te_conv_gather_pixels 6 per 4 values and 9;
 *             te_conv_gather_rgb_by_2 54; doubled 4 more per 4 values
 *
 * NARROW, where scratch memory counts, or te_conv_quads.h does not reach: with 8 input channels, stride 1 and
 * a kernel of 1 x 1 there is nothing to gather: a pixel is four words in registers (r2-r5) while all output
 * channels' constants stream by, one LDM each: bias, 8 weights as int16 pairs in the order of COLUMNS, M and
 * zero (fast; words TE_CONV_NARROW_FAST) or M C e (exact, sums doubled). These constants lie in flash as they
 * are read. REGISTERS: r0 output, r1 constants, r6-r12 (exact: and lr) a channel's; fast: lr the constants'
 * end. BUDGET: 8 instructions per output and 8 MACs (exact 10), 2 (3) per TE_CONV_NARROW_UNROLL of them, 13
 * (16) per pixel.
 */
#ifndef TE_CONV_FAST_H
#define TE_CONV_FAST_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

struct te_conv_fast_params;
struct te_row_view;

/* Output rows row .. row + rows - 1, one after the other at y. */
typedef void te_conv_run_fn(const struct te_conv_fast_params *p, const struct te_row_view *x, int8_t *y,
                            uint32_t row, uint32_t rows, void *scratch);

/* A run of the receptive fields of two neighbouring pixels: offsets from `base`, which advance by step to the
 * next pair. (Offsets, so that the struct is 12 bytes and needs no alignment beyond 4 on 64-bit hosts.) */
typedef struct te_conv_run {
    int32_t p0, p1, step;
} te_conv_run;

typedef struct te_conv_gather_args {
    const int8_t *base;
    te_conv_run *runs; /* advanced by `pairs` steps */
    uint32_t n_runs;
    uint32_t run_groups; /* groups of 4 bytes per run */
    uint32_t run_tail;   /* and remaining bytes, 0..3 */
    uint32_t *columns;
    uint32_t pairs;
    uint32_t groups; /* per pixel, tail included; two more words per pair are left alone */
} te_conv_gather_args;

typedef struct te_conv_tiles_args {
    const uint32_t *columns;
    const uint32_t *weights;
    uint32_t *wide; /* scratch for one pair of channels: groups * 4 + TE_CONV_WIDE_WORDS words */
    int8_t *out;    /* [pixel][channels] */
    uint32_t pairs; /* whole pairs of pixels */
    uint32_t odd;   /* 1: one more pixel */
    uint32_t channels;
    uint32_t groups;
    int32_t zero; /* of the output */
} te_conv_tiles_args;

typedef void te_conv_gather_fn(const te_conv_gather_args *args);
typedef void te_conv_tiles_fn(const te_conv_tiles_args *args);

/* Any runs. pixels: one run, of whole groups at addresses divisible by 4. rgb_by_2: three rows of 9 bytes
 * (3 x 3 RGB at stride 2), p1 6 bytes behind p0. */
te_conv_gather_fn te_conv_gather, te_conv_gather_doubled;
te_conv_gather_fn te_conv_gather_pixels, te_conv_gather_pixels_doubled;
te_conv_gather_fn te_conv_gather_rgb_by_2, te_conv_gather_rgb_by_2_doubled;

/* exact, fast: multipliers below 0.5. doubled: the same for doubled columns and biases. wide: any multiplier.
 * small: a third of the code (0.6 KB). */
te_conv_tiles_fn te_conv_tiles_exact, te_conv_tiles_exact_doubled, te_conv_tiles_wide;
te_conv_tiles_fn te_conv_tiles_small_exact, te_conv_tiles_small_fast, te_conv_tiles_small_wide;
te_conv_tiles_fn te_conv_tiles_fast;

/* The pixels themselves at `columns`, `pairs` of them; groups, wide, odd and zero are not used. */
te_conv_tiles_fn te_conv_narrow_fast, te_conv_narrow_exact;
#define TE_CONV_NARROW_FAST 7 /* words per channel */
#define TE_CONV_NARROW_EXACT 8

#define TE_CONV_ROUND_FAST 2 /* words of rounding per pair of channels */
#define TE_CONV_ROUND_EXACT 3
#define TE_CONV_ROUND_WIDE 10
#define TE_CONV_WIDE_WORDS 14 /* that the widened weights of a pair of channels take besides 4 per group */

typedef struct te_conv_fast_params {
    te_hwc in, out;
    te_window window;
    int16_t in_zero, out_zero, min, max;
    uint16_t n_runs, run_bytes;
    uint16_t groups;           /* of 4 values in a receptive field */
    uint16_t block;            /* output pixels per block, even */
    te_conv_gather_fn *gather; /* the variants to run; unused ones are not linked. Null: tiles take pixels */
    te_conv_gather_fn *gather_any; /* for pairs whose fields leave the picture, or lie in different rows */
    te_conv_tiles_fn *tiles;
    te_conv_run_fn *run; /* what computes in place of gather and tiles, or null (te_conv_vectors.h) */
    const uint32_t *weights;
} te_conv_fast_params;

/* scratch: words for the columns (block / 2 * (4 * groups + 2)), the weights (4 * groups +
 * TE_CONV_WIDE_WORDS) and the runs (n_runs * 3); then run_bytes bytes, and n_runs * run_bytes * 2 more if any
 * field reaches beyond the left or right edge and dilation is 1. */
void te_conv_fast_s8(const te_conv_fast_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same without scratch memory: for narrow kernels, with blocks of one pixel, and for pixels that fill vectors
 * (te_conv_vectors.h). */
void te_conv_narrow_s8(const te_conv_fast_params *p, const int8_t *x, int8_t *y);

TE_END_C

#include "tinyengine/te_conv_quads.h"
#include "tinyengine/te_conv_vectors.h"

#endif
