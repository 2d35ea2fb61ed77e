/* Layer normalization of int8 in the arithmetic of the operators that converters make of it: mean, squared difference,
 * mean, reciprocal root (a table), four products and sums, each rounded to int8.
 *
 * BUDGET on Armv7E-M, where both additions are linear (te_add_fast.h): 45 instructions per element, of which 34 are in the
 * loop of te_layer_norm_parts.h; 200 per row.
 */
#ifndef TE_LAYER_NORM_H
#define TE_LAYER_NORM_H

#include "tinyengine/te_elementwise.h"

TE_BEGIN_C

/* Of doubled sums: see te_requant_fixed.h. */
typedef struct te_layer_norm_round {
    int32_t m, c, e;
} te_layer_norm_round;

/* (c + (ma * a + mb * b) / 2^8) >> TE_ADD_LINEAR_SHIFT, both products rounded down; where that is not exact, ma is 0, and
 * the rest says what te_add_s8 computes. */
typedef struct te_layer_norm_add {
    int32_t ma, mb, c;
    te_scale_params a, b, out;
} te_layer_norm_add;

typedef struct te_layer_norm_params {
    uint32_t rows, channels;
    te_scale_params mean;     /* of a row's sum; zero: of the result */
    te_scale_params distance; /* of 128 times the mean less its zero point, to 64 times an input */
    te_scale_params variance; /* of a row's sum of squared differences */
    int32_t x_zero, spread_zero, root_zero, negative_zero, factor_zero;
    te_layer_norm_round spread, factor, moved, scaled;
    te_layer_norm_add offset, y;
    const int8_t *roots, *negated; /* [256] each, by variance and by mean */
    const int16_t *gains;          /* twice the gains less their zero point */
    const int8_t *shifts;
} te_layer_norm_params;

/* y may be x, or trail it. */
void te_layer_norm_s8(const te_layer_norm_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
