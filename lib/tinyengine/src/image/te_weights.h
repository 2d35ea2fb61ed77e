/* Weights of Pillow's bilinear filter, in integers.
 *
 * A triangle over source pixels, as wide as two outputs, or as two source pixels where there are fewer of
 * them: in units of 1 / (2 max(in, out)) weights are whole numbers. Pillow divides them by their sum in double
 * precision and rounds to 22 bits. The quotient of two integers below 2^23 is never close enough to a half for
 * its errors to matter, so integers give the same. */
#ifndef TE_WEIGHTS_H
#define TE_WEIGHTS_H

#include "tinyengine/te_types.h"

#define WEIGHT_BITS 22
#define WEIGHT_HALF (1u << (WEIGHT_BITS - 1))

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

TE_INLINE uint32_t te_total(te_axis a, uint32_t j) {
    uint32_t total = 0;
    for (uint32_t i = te_first(a, j); i < te_end(a, j); i++) total += te_weight(a, i, j);
    return total;
}

/* round(2^22 weight / total), halves up, for total < 2^23. */
TE_INLINE uint32_t te_scaled(uint32_t weight, uint32_t total) {
    uint32_t quotient = (weight << 8) / total, rest = (weight << 8) % total;
    for (uint32_t step = 0; step < 2; step++) {
        quotient = (quotient << 7) + (rest << 7) / total;
        rest = (rest << 7) % total;
    }
    return quotient + (2 * rest >= total);
}

/* The source pixel in whose area the middle of output j lies. */
TE_INLINE uint32_t te_nearest(te_axis a, uint32_t j) {
    return (2 * j + 1) * a.in / (2 * a.out);
}

#endif
