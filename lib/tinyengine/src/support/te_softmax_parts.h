/* The loops of te_softmax_fast.h, over quads of scores: in portable C, and for Armv7E-M. */
#ifndef TE_SOFTMAX_PARTS_H
#define TE_SOFTMAX_PARTS_H

#include "tinyengine/te_types.h"

/* The largest score. */
int32_t te_softmax_largest(const int8_t *x, uint32_t quads);

/* to[i] = exp[x[i]]; the sum of round(exp[x[i]] / 2^13). */
int32_t te_softmax_gather(const int8_t *x, const int32_t *exp, uint32_t quads, int32_t *to);

typedef struct te_softmax_shares_args {
    const int32_t *from;
    int8_t *y;
    uint32_t quads;
    int32_t factor, add;
    uint32_t mask,
        shift; /* of the results' bits in both halves of a word, below bit 15, in the _23 ones 14; e - 24 */
} te_softmax_shares_args;

/* y = (((from * factor [+ 2^31]) >> 32) + add) >> e, less 128; odd: without 2^31. e is 24 or more, in the _23 ones 23, and
 * their results modulo 256. */
typedef void te_softmax_shares(const te_softmax_shares_args *args);
te_softmax_shares te_softmax_shares_even, te_softmax_shares_odd, te_softmax_shares_even_23,
    te_softmax_shares_odd_23;

#endif
