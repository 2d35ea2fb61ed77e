/* Fully connected layer for cores with SMLAD: four outputs at a time, weights widened as they are read, or packed in
 * pairs of outputs of which one only has to be widened.
 *
 * X (scratch): per 4 inputs two words, (x0,x2) and (x1,x3), int16.
 * WEIGHTS (flash), per four outputs (the last four filled up with zeros):
 *     4 biases | per 4 inputs: 4 bytes of each output | rounding of each output
 * with the rounding of the variant (te_requant_fixed.h): M C e, wide M C e l s, fast 2 F and zero. Biases are
 * less (zero point of x) * (sum of the weights).
 *     Pairs: the four weights of 4 inputs are four words of halfwords, (second output) * 256 + (first output) each
 * (../src/support/te_four_sums.h), and the second bias of a pair is (second) * 256 + (first) too. So one SMLAD
 * adds the products of both, and those of the first one follow from its bytes alone.
 *
 * REGISTERS: r0 x, r1 weights, r2 r3 x of 4 inputs, r4-r7 their weights, r8-r11 sums, r12 widened weights, lr
 * end of x. BUDGET: 18 instructions per 16 MACs, 2 per TE_DENSE_UNROLL * 16, 33 per 4 outputs for rounding
 * exactly and the rest (fast: 20); pairs: 4 more. Cycles of a Cortex-M4: 24 per 16 MACs, 19 by pairs.
 */
#ifndef TE_DENSE_FAST_H
#define TE_DENSE_FAST_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_dense_args {
    const uint32_t *x;
    const uint32_t *weights;
    void *y;         /* int8, or int32 where sums are wanted */
    uint32_t quads;  /* of outputs */
    uint32_t groups; /* of 4 inputs */
} te_dense_args;

typedef void te_dense_fn(const te_dense_args *args);

/* exact: rounding twice, as TFLite's convolutions; once: as its fully connected layers. wide: any multiplier.
 * fast: for either, multipliers below 0.5. */
te_dense_fn te_dense_exact, te_dense_exact_wide, te_dense_once, te_dense_once_wide, te_dense_fast;
te_dense_fn te_dense_exact_pairs, te_dense_once_pairs, te_dense_fast_pairs;

/* The sums themselves, from weights without rounding behind them. */
te_dense_fn te_dense_sums, te_dense_sums_pairs;

/* Pairs with two inputs, whose words take turns in x: per four outputs four sums of the first and four of the
 * second input. r4-r11 are the sums. 15 cycles of a Cortex-M4 per 16 MACs, 6 per TE_DENSE_UNROLL * 32. */
te_dense_fn te_dense_sums_twice;

#define TE_DENSE_ROUND 12 /* words of rounding per four outputs */
#define TE_DENSE_ROUND_WIDE 20
#define TE_DENSE_ROUND_FAST 8

typedef struct te_dense_fast_params {
    uint32_t in, out;
    int16_t min, max;
    uint32_t round_words; /* per four outputs */
    te_dense_fn *quads;   /* the variant to run */
    const uint32_t *weights;
} te_dense_fast_params;

/* All of x is read before y is written. scratch: 8 bytes per 4 inputs (rounded up). */
void te_dense_fast_s8(const te_dense_fast_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
