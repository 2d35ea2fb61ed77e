/* The loop of te_layer_norm.h over a row's elements, where both additions are linear: in portable C, and for Armv7E-M. */
#ifndef TE_LAYER_NORM_PARTS_H
#define TE_LAYER_NORM_PARTS_H

#include "tinyengine/te_layer_norm.h"

/* c as in te_layer_norm_add. */
typedef struct te_layer_norm_linear {
    int32_t ma, mb, c;
} te_layer_norm_linear;

/* In the order in which an element needs them. */
typedef struct te_layer_norm_args {
    int32_t root; /* less its zero point */
    te_layer_norm_round factor;
    int32_t factor_zero;
    int32_t negative; /* twice the negated mean, less its zero point */
    te_layer_norm_round moved;
    te_layer_norm_linear offset;
    int32_t x_zero; /* twice */
    te_layer_norm_round scaled;
    te_layer_norm_linear sum;
    int8_t *y;
    const int8_t *end; /* of x */
    const int16_t *gains;
    const int8_t *shifts, *x;
} te_layer_norm_args;

/* An even number of elements, at least two. Leaves y behind the last one.
 *
 * REGISTERS: r0 args, r1 gains, r2 shifts, r3 x, r4 r5 factors, r6 r7 offsets, r8-r12 a step's constants. */
void te_layer_norm_pairs(te_layer_norm_args *args);

#endif
