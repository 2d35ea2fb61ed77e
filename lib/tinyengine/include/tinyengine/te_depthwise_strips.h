/* Depthwise convolution 3 x 3, 5 x 5, 7 x 7 at stride 1 and 2 for cores with Helium (MVE): 16 bytes of a *strip* are
 * columns of one channel, so one VMLADAVA multiplies a window, or the part of it that those columns are.
 *
 * STRIPS (scratch), of four channels at a time, [channel][column][`depth` rows], with the zero point where there is no
 * pixel: four rows, so that 16 bytes are 4 columns, for 3 x 3 at stride 1; else eight rows, 2 columns. Output row j of
 * a strip reads it from byte j * stride on: its window's rows lie at the front of each column, and what stands behind
 * them meets zero weights. A strip makes (depth - kernel) / stride + 1 rows. `ahead` further strips are staged before
 * one's outputs are written, so that outputs may replace inputs; of those that scratch holds, all that are ready are
 * computed by one call.
 *
 * WEIGHTS, per channel: `depth` zeros, then its columns of `kernel` bytes and depth - kernel zeros; 8 zeros behind the
 * last channel. At byte `depth` begin the weights of a window in an even column, at byte 0 those of one in the next
 * column. With four rows all lie a byte later, and those of the next row begin a byte earlier.
 *
 * CONSTANTS, per channel: bias less (zero point of x) * (sum of the weights) | F (fast), or M, -e (3 x 3 at stride 1),
 * or, for any multiplier, left shift, M, 1 (0 where a multiplier of 0.5 or more rounds once), -e (te_conv_vectors.h).
 *
 * TILES: 3 x 3 at stride 1: 2 rows x 2 columns from one load, two of them rounded together. The others: four outputs
 * of a row (or the two that are left) two columns of the strip apart; at stride 1 those in even columns, then those in
 * odd ones. Sums leave through general registers, half a VMOV each.
 *
 * REGISTERS: r1 strip, r3 outputs, r0 r2 r4 r6 sums, r5 bias, r7 F, r8 bytes to the next outputs, r9 zero; of 3 x 3 at
 * stride 1 r10 r11 the predicates, r12 the rows left. Exactly, r7 r10 r11 are M, -e, 1; for any multiplier r7 r10 r11
 * r12 shift, M, 1, -e. q0 q1 columns, q3 where outputs go, q4-q7 weights.
 *
 * BUDGET, in instructions, rounding fast: 3 x 3 at stride 1, 28 per 2 x 4 outputs (exactly 32), 15 per two rows; 3 x 3,
 * 5 x 5, 7 x 7 of eight rows 24, 29, 34 per four outputs (exactly 3 more), 26 per row, 13 more at stride 1; 24 per
 * channel and call. Staging takes 20 per 64 bytes, 12 per strip. Gathered loads and scattered bytes take a Cortex-M55
 * longer than their number says.
 */
#ifndef TE_DEPTHWISE_STRIPS_H
#define TE_DEPTHWISE_STRIPS_H

#include "tinyengine/te_rows.h"
#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Four channels of a strip. */
typedef struct te_depthwise_strip_args {
    const int8_t *strip;
    uint32_t strip_bytes; /* from one channel to the next */
    const int8_t *weights;
    const int32_t *constants;
    int8_t *y;
    uint32_t line; /* bytes from one row of outputs to the next */
    uint32_t rows, columns;
    uint32_t pixel; /* bytes from one output to the next */
    int32_t zero;   /* of the output */
    uint32_t next;  /* bytes from strip to strip, where there are more rows than those of one */
    const uint16_t
        *offsets; /* of outputs, of columns 0 and 2, 0 and 2 of the next row, 1 and 3, 1 and 3 of it */
} te_depthwise_strip_args;

typedef void te_depthwise_strip_fn(const te_depthwise_strip_args *args);

/* fast; exact: multipliers below 0.5; wide: any multiplier, exactly. */
te_depthwise_strip_fn te_depthwise_strip_3_fast, te_depthwise_strip_3_exact, te_depthwise_strip_3_wide;
te_depthwise_strip_fn te_depthwise_strip_5_fast, te_depthwise_strip_5_wide;
te_depthwise_strip_fn te_depthwise_strip_7_fast, te_depthwise_strip_7_wide;
te_depthwise_strip_fn te_depthwise_strip_3_by_2_fast, te_depthwise_strip_3_by_2_wide;
te_depthwise_strip_fn te_depthwise_strip_5_by_2_fast, te_depthwise_strip_5_by_2_wide;
te_depthwise_strip_fn te_depthwise_strip_7_by_2_fast, te_depthwise_strip_7_by_2_wide;

/* Where the rows of a strip lie in the picture: bytes from x, and what takes them to the next column. */
typedef struct te_depthwise_strip_rows {
    uint32_t offset[8], step[8];
    uint32_t zeros; /* four times the zero point of x: what is read of rows outside the picture */
    uint32_t strips, x_next, to_next; /* bytes from strip to strip */
} te_depthwise_strip_rows;

#if TE_MVE
/* Four channels of `columns` pixels to strips of four and of eight rows, `apart` bytes from channel to channel. */
typedef void te_depthwise_stage_fn(const int8_t *x, int8_t *to, uint32_t apart, uint32_t columns,
                                   const te_depthwise_strip_rows *rows);
te_depthwise_stage_fn te_depthwise_stage_4, te_depthwise_stage_8;
#endif

#define TE_DEPTHWISE_STRIP_FAST 2 /* constants per channel */
#define TE_DEPTHWISE_STRIP_EXACT 3
#define TE_DEPTHWISE_STRIP_WIDE 5

typedef struct te_depthwise_strips_params {
    te_hwc in, out; /* channels are a multiple of 4 */
    uint16_t kernel, stride, pad_top, pad_left;
    uint16_t depth;   /* rows of a strip */
    uint16_t columns; /* of a strip */
    uint16_t slots,
        ahead; /* strips that scratch holds; that must be staged before one's outputs are written */
    int16_t in_zero, out_zero, min, max;
    uint16_t words; /* of constants per channel */
    te_depthwise_strip_fn *run;
    const int32_t *constants;
    const int8_t *weights;
} te_depthwise_strips_params;

/* y may be x if `ahead` strips suffice. scratch: slots * 4 * depth * columns bytes. */
void te_depthwise_strips_s8(const te_depthwise_strips_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same by rows (te_rows.h); te_depthwise_strips_params, and the same scratch. */
void te_depthwise_strips_rows(const void *params, const te_row_job *job);

TE_END_C

#endif
