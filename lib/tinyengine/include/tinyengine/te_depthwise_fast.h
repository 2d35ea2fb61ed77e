/* Depthwise convolution (multiplier 1) as polynomial products, for cores with SMLAL: four
 * multiply-accumulates per instruction. Channel by channel, so that y may be x.
 *
 * Two ways: te_depthwise_map.h for usual paddings of maps up to 48 columns wide, and what is described here
 * for the others.
 *
 * THE TRICK. A word holds two pixels a0 + a1 * 2^21 (a signed sum), another two taps w1 + w0 * 2^21. The
 * 64-bit sum of their products has three fields of 21 bits, lowest first:
 *     a0 w1 | a0 w0 + a1 w1 | a1 w0
 * With pairs A_i = (b[2i], b[2i+1]) of a padded row b and taps W_m = (w[2m], w[2m+1]) the accumulator
 *     S_q = sum over kernel rows and m of A_{q+m} * W_m
 * holds output 2q in its middle field; output 2q + 1 is the top field of S_q plus the bottom field of
 * S_{q+1}. Starting S_q at 2^20 + (2 bias + 2^20) * 2^21 + (2 bias - 2^20) * 2^42 keeps the two lower fields
 * non-negative, so that none borrows from the next. Taps are doubled (exact rounding wants doubled sums). The
 * host checks per channel that no field can overflow; a channel that fails runs the plain way: int16 rows and
 * SMLAD.
 *
 * PIXELS are raw input bytes with the input's zero point as padding; bias is less zero * (sum of the taps).
 *
 * ROWS. The kernel's rows are a ring of `kernel` slots: padded row r is in slot r mod kernel. All slots of a
 * few neighbouring pixels lie together (a *unit*), so that offsets are constants whatever the width:
 *     stride 1: word[unit][slot][3] = pairs 3 * unit .. + 2
 *     stride 2: word[unit][slot][2] = even pixels b[4 unit], b[4 unit + 2]
 *                                   | odd pixels b[4 unit + 1], b[4 unit + 3]
 * and with stride 2 an output is a stride-1 convolution of the even pixels with the even taps plus one of the
 * odd.
 *
 * TAPS (flash): per kernel row, per word its two bytes (w1, w0):
 *     stride 1: (w0,w1) (w2,w3) ...
 *     stride 2: even taps (w0,w2) (w4,w6), then odd taps (w1,w3) (w5,-)
 * With stride 1 and odd padding a zero tap comes first, so that pairs begin at even pixels. In scratch the
 * table has 2 * kernel rows: row r again as row r + kernel; started at the right row it meets the ring's
 * slots in order.
 *
 * REGISTERS of the products: r0 pixels, r1 taps, r4-r9 three accumulators (6 outputs), r10 r11 r12 lr taps of
 * a row, r2 r3 (and free ones of those) pixels. Starting values, constants and pointers are in a stack frame.
 * BUDGET per 6 outputs: kernel 3 / 5 / 7: 27 / 60 / 119 for products (stride 2: 30 / 70 / 119), 45 for
 * unpacking (2.5 per output), exact rounding (4; fast 2) and storing, 14 for the loop; 2.5 per input pixel to
 * gather; about 70 per row.
 */
#ifndef TE_DEPTHWISE_FAST_H
#define TE_DEPTHWISE_FAST_H

#include "tinyengine/te_depthwise_map.h"
#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Some neighbouring channels of a layer. */
typedef struct te_depthwise_run_args {
    const int8_t *x; /* first channel of the first row that exists from `first` on */
    int32_t pitch;   /* bytes between pixels, of x and y */
    uint32_t *words; /* slot 0 of the unit where a row's pixels begin */
    uint32_t width;  /* pixels of a row */
    int32_t zero;    /* value of the padding */
    uint32_t unit;   /* bytes between units */
    uint32_t
        phase; /* stride 1: word of the unit where a row begins; stride 2: padding pixels before it, 0..3 */
    uint32_t units;         /* from `words` on */
    int32_t first;          /* input row of the first output's first kernel row: -padding */
    int32_t segment;        /* rows of x before it wraps, else height */
    int32_t line, out_line; /* bytes of a row */
    int8_t *y;
    uint32_t rows, outputs; /* of y; outputs per row */
    uint32_t stride;        /* between rows */
    uint32_t *ring, *taps;  /* unit 0; table */
    const int8_t *packed;
    const int32_t *constants; /* [channel][4], see te_depthwise_fast_params */
    uint32_t channels;
    int32_t height;  /* rows of x */
    int32_t wrapped; /* bytes by which row `segment` lies before the place behind its predecessor */
} te_depthwise_run_args;

/* The ring holds padding except where gathered rows go. */
typedef void te_depthwise_run_fn(const te_depthwise_run_args *args);

/* Kernel 3, 5, 7 columns and rows; by_2: stride 2 between columns; fast: how it rounds. */
te_depthwise_run_fn te_depthwise_run_3, te_depthwise_run_5, te_depthwise_run_7;
te_depthwise_run_fn te_depthwise_run_3_by_2, te_depthwise_run_5_by_2, te_depthwise_run_7_by_2;
te_depthwise_run_fn te_depthwise_run_3_fast, te_depthwise_run_5_fast, te_depthwise_run_7_fast;
te_depthwise_run_fn te_depthwise_run_3_by_2_fast, te_depthwise_run_5_by_2_fast, te_depthwise_run_7_by_2_fast;

typedef struct te_depthwise_fast_params {
    te_hwc in, out;
    te_window window;
    int16_t in_zero, min, max;
    uint16_t tap_bytes;     /* packed bytes per kernel row */
    const int8_t *packed;   /* [channel][kernel row][tap_bytes] */
    const uint8_t *columns; /* [tap_bytes]: which kernel column; any for a zero tap */
    /* [channel][4]: bias, m, c, and e + (l << 8) + (plain << 16), all as in te_requant_fixed.h; l is 1 for
     * multipliers below 1, e is 0 from 0.5 on; to round fast F, zero, e = 0 and l = 1. plain = 1: must not
     * run as polynomial. May be null if map is not and no channel is plain. */
    const int32_t *channels;
    te_depthwise_run_fn *run;     /* null: all channels plain, and the rest does not matter */
    uint16_t units, unit_words;   /* of the ring; unit_words is per slot: 3 or 2 */
    uint16_t first_unit;          /* where a row's pixels begin */
    uint16_t phase;               /* te_depthwise_run_args.phase */
    uint16_t some_plain;          /* 0: no channel is */
    te_depthwise_map_fn *map;     /* not null: instead of run, and columns are in order */
    const int32_t *map_constants; /* te_depthwise_map_args.constants; the bias is the layer's own */
    int16_t out_zero;
    uint16_t row_words; /* of a staged row */
} te_depthwise_fast_params;

/* y == x or disjoint.
 * scratch: the largest of, if run is not null, units * unit_words * kh + kh * tap_bytes words; if map is not
 * null, row_words for each row that is staged (most rows of x under the output rows asked for; of padding too
 * if kh = 3), for kernels 5 and 7 kh * (kh / 2 + 1) words more and 3 for each output row; and
 * ((out.w - 1) * sw + kw + 1) * kh rounded up to even + (kw + 1) / 2 * 2 * kh halfwords. */
void te_depthwise_fast_s8(const te_depthwise_fast_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
