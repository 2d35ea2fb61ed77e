/* Depthwise convolution 3 x 3 of whole pictures of any width, four channels at a time, by products of pairs (SMLAD).
 *
 * Against te_depthwise_fast.h it takes twice the products, but no sum has fields that could overflow, so that
 * every layer and every multiplier runs it; pixels come as words of four channels, which makes staging cheap;
 * and its code is one loop for all widths. It needs scratch memory for four channels.
 *
 * BANDS. The rows under TE_DEPTHWISE_BAND output rows (by 2: TE_DEPTHWISE_BAND_BY_2) are staged together;
 * the pair of rows that the next band needs again moves to the front. All rows of a band are read before any of
 * its outputs is written, so y may be x where the outputs of a row lie before the rows that are read later.
 *
 * STAGED: a word holds a pixel in rows 2i and 2i + 1 of the padded picture as int16, raw; padding is the
 * input's zero point, and the bias is less zero * (sum of the taps). The words of channel c (0..3) in a column
 * of the padded picture lie at
 *     column * TE_DEPTHWISE_STEP + c * TE_DEPTHWISE_CHANNEL + 4 * i
 * so that the words that a block of outputs needs are at constant offsets, whatever the width. Columns of
 * padding are written once.
 *
 * CONSTANTS (flash), words per channel: taps; bias; M; to round exactly also e + (l << 8). All as in
 * te_requant_fixed.h: 2 F to round fast; l = 1 below multipliers of 1, and e = 0 from 0.5 on; the bias is
 * shifted left by l. A channel whose result is constant has zero taps, and M = 2^30. With w[row][column] the
 * bytes of the taps are, for each column, w0 w1 w1 w2; by 2: w[0][0] w[0][1] w[1][0] w[1][1] w[0][2] w[2][0]
 * w[1][2] w[2][1] w[2][2] 0 0 0.
 *
 * BLOCKS are two rows of TE_DEPTHWISE_BLOCK outputs (by 2: TE_DEPTHWISE_BLOCK_BY_2), so that a word serves
 * both: the upper output is SMLAD of a pair with (w0,w1) and SMLABT of the next with w2, the lower one SMLATB
 * with w0 and SMLAD of the next with (w1,w2). By 2 the rows have one pair in common. The last of an odd number
 * of rows is its own partner: the lower outputs are written first, then overwritten.
 *
 * REGISTERS: r0 word of the first output, r1 r2 pixels, r3-r5 taps of a pair in three columns, r6 r8 r10 r12
 * sums of the upper row, r7 r9 r11 lr of the lower one (by 2: r12 lr the taps w2); the last of them holds the
 * bias until it begins. Loads stand in batches, which a Cortex-M4 pipelines; for a Cortex-M7 they stand behind
 * multiplications, two words ahead.
 *
 * BUDGET (M4, cycles): staging 2.25 per value and 40 per two rows; 0.1 (by 2: 0.6) more per output to move rows; per 2 x 4
 * outputs 73 for the products (by 2, 2 x 3: 70), 5.6 each to round and store (exact: 7.6); 24 per two rows, 65
 * per channel and band.
 */
#ifndef TE_DEPTHWISE_QUADS_H
#define TE_DEPTHWISE_QUADS_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

#define TE_DEPTHWISE_BAND 16 /* output rows, stride 1: 18 rows of the picture */
#define TE_DEPTHWISE_BAND_BY_2 8
#define TE_DEPTHWISE_BLOCK 4
#define TE_DEPTHWISE_BLOCK_BY_2 3
#define TE_DEPTHWISE_STEP 144 /* bytes */
#define TE_DEPTHWISE_CHANNEL 36

/* A band of four channels. */
typedef struct te_depthwise_quad_args {
    const uint32_t *staged, *constants; /* of channel 0 */
    int8_t *y;                          /* of channel 0 */
    uint32_t pitch, line;               /* bytes between pixels and between rows of y */
    uint32_t rows;                      /* of outputs */
    uint32_t blocks, rest;              /* outputs of a row: whole blocks and what is left */
    int32_t zero;                       /* of y */
} te_depthwise_quad_args;

typedef void te_depthwise_quad_fn(const te_depthwise_quad_args *args);

/* by_2: stride 2. */
te_depthwise_quad_fn te_depthwise_quad_fast, te_depthwise_quad_exact;
te_depthwise_quad_fn te_depthwise_quad_by_2_fast, te_depthwise_quad_by_2_exact;

/* Pairs of rows of four channels. */
typedef struct te_depthwise_stage_args {
    const int8_t *x; /* of the picture's first pixel; aligned to 4 */
    int32_t row;     /* of the picture, the first that is staged; rows outside are padding */
    int32_t height;
    uint32_t pitch, line; /* bytes between pixels and between rows of x */
    uint32_t *to;         /* in the first column, the first pair's word */
    uint32_t pairs;       /* 1 at least */
    uint32_t columns;
    uint32_t padding; /* four of its bytes */
} te_depthwise_stage_args;

void te_depthwise_stage(const te_depthwise_stage_args *args);

typedef struct te_depthwise_quads_params {
    te_hwc in, out; /* channels: a multiple of 4 */
    uint8_t stride, pad_top, pad_left;
    uint8_t words; /* of constants per channel: 5, exact 6 */
    int16_t in_zero, out_zero, min, max;
    te_depthwise_quad_fn *run;
    const uint32_t *constants;
} te_depthwise_quads_params;

/* Strides of rows and columns are the same, padding in front is 0 or 1, behind at most 1.
 * scratch: TE_DEPTHWISE_STEP bytes for each column that outputs need, padding included. */
void te_depthwise_quads_s8(const te_depthwise_quads_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
