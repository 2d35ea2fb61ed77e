/* The depthwise convolution of te_depthwise_fast.h for maps up to 48 columns wide: the same polynomial
 * products (its "TRICK"), but a channel's rows are staged all at once, and a row of outputs is straight code
 * for one width, without products of padding. Kernel, stride, width and padding in front are constants of an
 * instance (te_depthwise_map_list.h); heights and channel counts are free. Each has a section of its own, and
 * each width an object file.
 *
 * PIXELS are less the zero point, so padding is 0 and its products can be left out. Taps are doubled to round
 * exactly only; to round fast the multiplier is.
 *
 * STAGED ROWS, one behind the other, word = a0 + a1 * 2^21. Stride 1: word i = pixels 2i, 2i + 1. Stride 2:
 * first the even pixels of the row (plane E), then the odd ones (plane O), each as with stride 1; a plane
 * whose first words would meet an even number of taps at an odd place begins with half a word of padding.
 * With kernel 3, rows of zeros stand for those above and below the picture; kernels 5 and 7 leave them out.
 *
 * TAPS, in flash one byte each. In memory, per kernel row: words w1 + w0 * 2^21 of plane E, then of plane O.
 * If the padding of a plane is odd, and so is the number of its taps, a zero tap comes first: pairs begin at
 * even pixels and W outputs take (W + 1) / 2 accumulators. The last odd output of an even W takes one more
 * bottom field: a sum of 16-bit products (SMLABB).
 *
 * REGISTERS of the products: r0 pixels, r1 taps (kernels 5 and 7), r4-r9 three accumulators, r10 r11 r12 lr
 * taps of a kernel row, r2 r3 pixels; the last bottom field in lr (kernel 7: r3). Kernel 3: r1 carries the
 * top field from block to block, r12 is y. Of the outputs: r0 scratch, r1 carried in, r2 pitch, r3 or lr e,
 * r10 M, r11 C, r12 y.
 *
 * BUDGET, to round fast (exactly: 2 per output more, and a doubling per tap word)
 *   gather    2.5 per pixel
 *   products  per kernel row and block of 3 accumulators (6 outputs): 1 for the taps, 2 for the pixels
 *             (stride 2: 4), and 6 / 9 / 12 for kernel 3 / 5 / 7
 *   outputs   6 each: 2.5 to unpack, 2 to round, 1 to store, 0.5 to move y
 *   besides   6 per block (kernels 5 and 7: 10), 6 per row, 60 / 90 / 130 per channel with the taps
 * REACHED on Cortex-M7, instructions per multiply-accumulate, padding counted (fast), for maps of
 *            40x40 20x20 10x10  5x5  3x3      by 2: 40x40 20x20 10x10  5x5
 *   kernel 3  1.54  1.59  1.67  1.91  2.48           2.58  2.67
 *   kernel 5  0.82  0.81  0.82                       1.17              1.60
 *   kernel 7  0.57        0.53  0.55                        0.82  0.89
 */
#ifndef TE_DEPTHWISE_MAP_H
#define TE_DEPTHWISE_MAP_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Rows row .. of one picture for some neighbouring channels. */
typedef struct te_depthwise_map_args {
    const int8_t *x; /* first channel of the first row that is staged */
    int32_t wrapped; /* bytes by which the row for first_end lies before the place behind its predecessor */
    uint32_t *staged, *first_end, *staged_end; /* rows before x wraps, all rows */
    int32_t pitch, line;                       /* bytes between pixels of x and y, between rows of x */
    int32_t zero;
    int8_t *y;
    int32_t out_line;
    /* Kernel 3: pixels under the first row of outputs, and behind the last; 5, 7: rows of the table. */
    const void *begin, *end;
    uint32_t *taps;       /* kernels 5, 7: room for the words */
    const int8_t *packed; /* [channel][kernel row][kernel column] */
    /* [channel][2]: bias and M as in te_requant_fixed.h; exact: e in the highest byte of bias; fast: 2 F */
    const int32_t *constants;
    uint32_t channels;
    int32_t out_zero;
    int32_t top; /* row of x, counted from the first that is staged, under the first row of outputs */
    uint32_t rows;
} te_depthwise_map_args;

/* Kernels 5 and 7: what a row of outputs needs. Its first existing row of x less one row, the taps that meet
 * it, and how many rows of the kernel meet existing ones. */
typedef struct te_depthwise_map_row {
    const uint32_t *pixels, *taps;
    uint32_t rows;
} te_depthwise_map_row;

typedef void te_depthwise_map_fn(const te_depthwise_map_args *args);

#include "tinyengine/te_depthwise_map_list.h"

#define TE_DEPTHWISE_MAP_DECLARE(k, w)                                                                       \
    te_depthwise_map_fn te_depthwise_map_##k##_##w, te_depthwise_map_##k##_##w##_fast;
#define TE_DEPTHWISE_MAP_DECLARE_BY_2(k, w, p)                                                               \
    te_depthwise_map_fn te_depthwise_map_##k##_##w##_by_2_##p, te_depthwise_map_##k##_##w##_by_2_##p##_fast;
TE_DEPTHWISE_MAPS(TE_DEPTHWISE_MAP_DECLARE, TE_DEPTHWISE_MAP_DECLARE_BY_2)

TE_END_C

#endif
