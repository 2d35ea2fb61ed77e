/* SOFTMAX of int8 whose rows are a multiple of 4 long, by SMMLAR; TFLite's bytes exactly.
 *
 * TFLite has T(d) = exp(d), 31 fraction bits, for a distance d from the row's largest score, their sum S with 19 fraction
 * bits, each rounded, and from it a factor F and a shift e = 35 - leading zeros of S. It computes
 *     round(round(T(d) F / 2^31) / 2^e), which is floor((T(d) F + 2^30 + 2^(30+e)) / 2^(31+e)):
 * a floor of a floor is one floor. With E(d) = 2 T(d) - 2^31, which is an int32, that is
 *     floor((E(d) F + ((F + 1) << 31) + 2^(31+e)) / 2^(32+e))
 * one SMMLAR where F is even, one SMMLA where it is odd, and a shift. What S sums is round(E(d) / 2^13) + 2^18.
 *
 * BUDGET per 4 scores: 3.5 for the largest, 13.8 for the sum, 13.8 for the results; 80 per row, 30 more where S < 2.
 */
#ifndef TE_SOFTMAX_FAST_H
#define TE_SOFTMAX_FAST_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_softmax_fast_params {
    uint32_t rows, depth; /* depth: a multiple of 4, at most 2048 */
    const int32_t *exp;   /* [256]: E(255), E(254), ... E(0) */
} te_softmax_fast_params;

/* Scratch memory: depth words. x and y at multiples of 4; y may be x, or trail it. */
void te_softmax_fast_s8(const te_softmax_fast_params *p, const int8_t *x, int8_t *y, void *scratch);

TE_END_C

#endif
