/* Weights of the bilinear filter, in integers: host/tinyengine/data/resize.py is the same in NumPy.
 *
 * A triangle over source pixels, as wide as two outputs, or as two source pixels where there are fewer of
 * them: in units of 1 / (2 max(in, out)) weights are whole numbers. Scaled, an output's have the sum 2^bits:
 * each is the difference between two rounded shares of the total, so what one lacks its neighbour has. */
#ifndef TE_WEIGHTS_H
#define TE_WEIGHTS_H

#include "tinyengine/te_image.h"

#define LINE_BITS 8    /* weights of lines: with pixels of 8 bits, sums have 16 */
#define COLUMN_BITS 14 /* of columns */

/* One axis: pixels of the source and of the output. */
typedef struct te_axis {
    uint32_t in, out;
} te_axis;

/* 2 * max(in, out): where a weight ends. */
TE_INLINE uint32_t te_reach(te_axis a) {
    return 2 * (a.in > a.out ? a.in : a.out);
}

/* Unscaled weight of source pixel i on output j. */
TE_INLINE uint32_t te_weight(te_axis a, uint32_t i, uint32_t j) {
    const uint32_t here = (2 * i + 1) * a.out, middle = (2 * j + 1) * a.in;
    const uint32_t distance = here > middle ? here - middle : middle - here;
    return distance < te_reach(a) ? te_reach(a) - distance : 0;
}

/* The first source pixel with a weight on output j. */
TE_INLINE uint32_t te_first(te_axis a, uint32_t j) {
    const uint32_t middle = (2 * j + 1) * a.in, margin = te_reach(a) + a.out;
    return middle < margin ? 0 : (middle - margin) / (2 * a.out) + 1;
}

/* One behind the last of them. */
TE_INLINE uint32_t te_end(te_axis a, uint32_t j) {
    const uint32_t end = ((2 * j + 1) * a.in + te_reach(a) + a.out - 1) / (2 * a.out);
    return end < a.in ? end : a.in;
}

/* `count` numbers, each `step` behind the last. */
TE_INLINE uint32_t te_series(uint32_t first, uint32_t step, uint32_t count) {
    return count * first + step * (count * (count - 1) / 2);
}

/* All unscaled weights on output j, which rise and then fall by as much from pixel to pixel. */
TE_INLINE uint32_t te_total(te_axis a, uint32_t j) {
    const uint32_t first = te_first(a, j), end = te_end(a, j),
                   top = ((2 * j + 1) * a.in + a.out) / (2 * a.out);
    return te_series(te_weight(a, first, j), 2 * a.out, top - first) +
           te_series(te_weight(a, end - 1, j), 2 * a.out, end - top);
}

/* The scaled weight of the next pixel. */
TE_INLINE uint32_t te_share(te_shares *shares, uint32_t weight, uint32_t bits) {
    shares->until += weight;
    const uint32_t products = (shares->until >> shares->surplus << (bits + 1)) + shares->total;
    const uint32_t before = shares->given;
    shares->given = products / (2 * shares->total);
    return shares->given - before;
}

/* The source pixel in whose area the middle of output j lies. */
TE_INLINE uint32_t te_nearest(te_axis a, uint32_t j) {
    return (2 * j + 1) * a.in / (2 * a.out);
}

#endif
