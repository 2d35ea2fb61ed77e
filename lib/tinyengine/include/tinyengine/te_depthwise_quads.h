/* Depthwise convolution 3 x 3 of whole pictures of any width, four channels at a time, by products of pairs (SMLAD).
 *
 * Against te_depthwise_fast.h it takes twice the products, but no sum has fields that could overflow, so that
 * every layer and every multiplier runs it; pixels come as words of four channels, which makes staging cheap;
 * and its code is one loop for all widths. It needs scratch memory for four channels.
 *
 * BANDS. The rows under TE_DEPTHWISE_BAND output rows (by 2: TE_DEPTHWISE_BAND_BY_2) are staged together;
 * the rows that the next band needs again move to the front. All rows of a band are read before any of its
 * outputs is written, so y may be x where the outputs of a row lie before the rows that are read later.
 *
 * STAGED: word i of a row holds pixels 2i and 2i + 1 of the padded row as int16, raw; padding is the input's
 * zero point, and the bias is less zero * (sum of the taps). Word i of channel c (0..3) in row r lies at
 *     i * TE_DEPTHWISE_STEP + c * TE_DEPTHWISE_CHANNEL + 4 * r
 * so that the words that six outputs of a channel need are at constant offsets, whatever the width.
 *
 * CONSTANTS (flash), words per channel: per kernel row the bytes w0 w1 w1 w2; bias; M; to round exactly also
 * e + (l << 8). All as in te_requant_fixed.h: 2 F to round fast; l = 1 below multipliers of 1, and e = 0
 * from 0.5 on; the bias is shifted left by l. A channel whose result is constant has zero taps, and M = 2^30.
 *
 * REGISTERS: r0 word of the first output, r1 bias, r2-r5 pixels, r6-r11 six sums, r12 lr taps (w0,w1) (w1,w2).
 * An even output is SMLAD of its word with (w0,w1) and SMLABT of the next with w2, an odd one SMLATB with w0
 * and SMLAD of the next word with (w1,w2). Loads stand in batches, which a Cortex-M4 pipelines.
 *
 * BUDGET (M4, cycles): staging 2.4 per value, 0.3 more per output row of a band to move; per six outputs 58
 * for the products (by 2: 62), 31 (exact: 48) to round and store; 21 per row, 75 per channel and band.
 */
#ifndef TE_DEPTHWISE_QUADS_H
#define TE_DEPTHWISE_QUADS_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

#define TE_DEPTHWISE_BAND 6      /* output rows, stride 1: 8 rows of the picture */
#define TE_DEPTHWISE_BAND_BY_2 3 /* 7 rows of the picture */
#define TE_DEPTHWISE_STEP 128    /* bytes */
#define TE_DEPTHWISE_CHANNEL 32

/* A band of four channels. */
typedef struct te_depthwise_quad_args {
    const uint32_t *staged, *constants; /* of channel 0 */
    int8_t *y;                          /* of channel 0 */
    uint32_t pitch, line;               /* bytes between pixels and between rows of y */
    uint32_t rows;                      /* of outputs */
    uint32_t blocks, rest;              /* outputs of a row: 6 * blocks + rest, rest < 6 */
    int32_t zero;                       /* of y */
} te_depthwise_quad_args;

typedef void te_depthwise_quad_fn(const te_depthwise_quad_args *args);

/* by_2: stride 2. */
te_depthwise_quad_fn te_depthwise_quad_fast, te_depthwise_quad_exact;
te_depthwise_quad_fn te_depthwise_quad_by_2_fast, te_depthwise_quad_by_2_exact;

/* Rows of four channels. */
typedef struct te_depthwise_stage_args {
    const int8_t *x;      /* aligned to 4 */
    uint32_t pitch, line; /* bytes between pixels and between rows of x */
    uint32_t *to;         /* word 0 of the first row */
    uint32_t rows;        /* 1 at least */
    uint32_t lead;        /* 1: a row begins with a pixel of padding */
    uint32_t words;       /* of two pixels, behind the first one if `lead` */
    uint32_t odd;         /* 1: the last word has a pixel, else padding */
    uint32_t padding;     /* two of its pixels */
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

/* Strides of rows and columns are the same, padding in front is 0 or 1.
 * scratch: TE_DEPTHWISE_STEP bytes for each word that blocks of six outputs read: 3 per begun block (by 2: 6)
 * and 1; or for the (lead + w) / 2 + 1 words of a row, if those are more. */
void te_depthwise_quads_s8(const te_depthwise_quads_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
