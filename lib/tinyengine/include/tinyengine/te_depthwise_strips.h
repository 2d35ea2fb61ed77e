/* Depthwise convolution 3 x 3, 5 x 5, 7 x 7 at stride 1 and 2 for cores with Helium (MVE): 16 bytes of a *strip* are 8
 * rows of 2 columns of one channel, so one VMLADAVA multiplies a window, or the half or quarter of it that two
 * columns are.
 *
 * STRIPS (scratch), of four channels at a time, [channel][column][8 rows], with the zero point where there is no
 * pixel. Output row j of a strip reads it from byte j * stride on: its window's rows lie at the front of each 8
 * bytes, and what stands behind them meets zero weights. A strip makes (8 - kernel) / stride + 1 rows. `ahead`
 * further strips are staged before one's outputs are written, so that outputs may replace inputs.
 *
 * WEIGHTS, per channel: 8 zeros, then its columns of `kernel` bytes and 8 - kernel zeros; 8 zeros behind the last
 * channel. At byte 8 begin the weights of a window in an even column, at byte 0 those of one in the next column.
 *
 * CONSTANTS, per channel: bias less (zero point of x) * (sum of the weights) | F (fast), or left shift, M, 1 (0 where a
 * multiplier of 0.5 or more rounds once), -e (te_conv_vectors.h).
 *
 * TILES: four outputs at a time: at stride 1, 2 rows x 2 columns (3 x 3, 5 x 5) or every second of a row (7 x 7); at
 * stride 2, four of a row. Sums leave through general registers, one VMLADAV each.
 *
 * BUDGET, in instructions per four outputs, rounding fast: 26 for 3 x 3, 34 for 5 x 5, 38 for 7 x 7 (stride 2: 28, 32, 38);
 * 3 more exactly. Per 2 columns of a strip, 26 to stage four channels; per strip and channel about 50. Gathered
 * loads and scattered bytes take a Cortex-M55 longer than their number says.
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
} te_depthwise_strip_args;

typedef void te_depthwise_strip_fn(const te_depthwise_strip_args *args);

te_depthwise_strip_fn te_depthwise_strip_3_fast, te_depthwise_strip_3_by_2_fast;
te_depthwise_strip_fn te_depthwise_strip_5_fast, te_depthwise_strip_5_by_2_fast;
te_depthwise_strip_fn te_depthwise_strip_7_fast, te_depthwise_strip_7_by_2_fast;
te_depthwise_strip_fn te_depthwise_strip_3_exact, te_depthwise_strip_3_by_2_exact;
te_depthwise_strip_fn te_depthwise_strip_5_exact, te_depthwise_strip_5_by_2_exact;
te_depthwise_strip_fn te_depthwise_strip_7_exact, te_depthwise_strip_7_by_2_exact;

#define TE_DEPTHWISE_STRIP_ROWS 8
#define TE_DEPTHWISE_STRIP_FAST 2 /* constants per channel */
#define TE_DEPTHWISE_STRIP_EXACT 5

typedef struct te_depthwise_strips_params {
    te_hwc in, out; /* channels are a multiple of 4 */
    uint16_t kernel, stride, pad_top, pad_left;
    uint16_t columns; /* of a strip */
    uint16_t ahead;
    int16_t in_zero, out_zero, min, max;
    uint16_t words; /* of constants per channel */
    te_depthwise_strip_fn *run;
    const int32_t *constants;
    const int8_t *weights;
} te_depthwise_strips_params;

/* y may be x if `ahead` strips suffice. scratch: (ahead + 1) * 32 * columns bytes. */
void te_depthwise_strips_s8(const te_depthwise_strips_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same by rows (te_rows.h); te_depthwise_strips_params, and the same scratch. */
void te_depthwise_strips_rows(const void *params, const te_row_job *job);

TE_END_C

#endif
