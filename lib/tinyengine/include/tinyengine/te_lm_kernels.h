/* The inner loops of language models (te_lm.h): products of matrices with a vector, attention, gates, norms.
 *
 * A matrix lies in quads of rows; results are round(sum * multiplier / 2^32).
 * 8 bits: per two columns a word of rows 0 and 1 and one of rows 2 and 3; a half is w[r] + 256 w[r+1] of one column;
 *   4 multipliers behind. The sums of odd rows are taken 256 times.
 * 4 bits: per group of columns (the last one may be shorter) a word per two columns, a half is
 *   u0 + 16 u1 + 256 u2 + 4096 n3 with u = n + 8; two words of 4 scales behind each group; 4 multipliers behind all.
 *   Each group's sums are taken 1, 16, 256, 4096 times, times their scales / 2^16; then all 4096 times.
 */
#ifndef TE_LM_KERNELS_H
#define TE_LM_KERNELS_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_lm_gemv_args {
    const void *x; /* int16 [k], aligned to 4; of 4 bits: what te_lm_stream_w4 made of it */
    const uint32_t *weights;
    int32_t *y;     /* [4 * quads] */
    uint32_t quads; /* of rows */
    uint32_t k;     /* columns, a multiple of 8 */
    uint32_t group; /* of 4 bits: columns that share a scale, a multiple of 8 */
} te_lm_gemv_args;

typedef void te_lm_gemv_fn(const te_lm_gemv_args *args);

/* add: onto y. 64: k is 64. parts: 8 bits, where the sums of odd rows stay within 24 bits only over parts of group
 * columns, counted from the last one; a multiple of 8. 32, 64 of 4 bits: group, and k is no less. any: where nothing is
 * known of the sums. */
te_lm_gemv_fn te_lm_gemv_w8, te_lm_gemv_w8_64, te_lm_gemv_parts_w8, te_lm_gemv_any_w8;
te_lm_gemv_fn te_lm_gemv_add_w8, te_lm_gemv_add_w8_64, te_lm_gemv_add_parts_w8, te_lm_gemv_add_any_w8;
te_lm_gemv_fn te_lm_gemv_w4_32, te_lm_gemv_w4_64, te_lm_gemv_any_w4;
te_lm_gemv_fn te_lm_gemv_add_w4_32, te_lm_gemv_add_w4_64, te_lm_gemv_add_any_w4;

/* Per group of columns -8 X times 273, 257, 1, 17 (X: sum of its x; what u = n + 8 adds to the sums), and its x. */
void te_lm_stream_w4(const int16_t *x, uint32_t k, uint32_t group, uint32_t *stream);

/* Scores, and the weights that follow from them, lie as [slots / 2][heads][2]: heads is 1 or 2.
 * Score of a slot and a head: saturated (keys[slot] . q[head]) >> 4; keys as te_lm.h has them. */
typedef struct te_lm_scores_args {
    const int8_t *keys; /* [slots][width] */
    const int16_t *q;   /* [heads][width] */
    int16_t *scores;
    uint32_t slots, width, heads; /* slots, width: multiples of 4 */
} te_lm_scores_args;

void te_lm_scores(const te_lm_scores_args *args);

/* Scores become weights 2^15 * 2^((score - largest of the head) / 256), rounded down; sums: of each head's weights.
 * slots: a multiple of 8. table: 2^(15 - i/256). */
void te_lm_softmax(int16_t *scores, uint32_t slots, uint32_t heads, const uint16_t *table, uint32_t *sums);

/* sums[head] = sum of the slots' weights times values[slot]; values as te_lm.h has them. */
typedef struct te_lm_values_args {
    const int8_t *values;
    const int16_t *weights;
    int32_t *sums;                /* [heads][width] */
    uint32_t slots, width, heads; /* slots: a multiple of 8 */
} te_lm_values_args;

void te_lm_values(const te_lm_values_args *args);

/* x, scaled to 14 bits, times root / sqrt(sum of squares + epsilon), shifted right by shift less half the zeros in
 * front of that sum, times gains / 2^15. */
typedef struct te_lm_norm_params {
    uint32_t width, epsilon, root, shift;
    const int16_t *gains;
} te_lm_norm_params;

void te_lm_norm(const te_lm_norm_params *p, const int32_t *x, int16_t *h);

/* factor / 2^right: what a norm multiplies x with before its gains. */
typedef struct te_lm_scale {
    int32_t factor, right;
} te_lm_scale;

te_lm_scale te_lm_norm_measure(const te_lm_norm_params *p, const int32_t *x);

/* h = saturated to 12 bits: silu(u) * g * multiplier / 2^32 of u = y[0 .. width), g behind it; zeros up to padded.
 * sigmoid: 258 values over -8 .. 8. */
typedef struct te_lm_gate_params {
    uint32_t width, padded;
    int32_t multiplier;
    const int16_t *sigmoid;
} te_lm_gate_params;

void te_lm_gate(const te_lm_gate_params *p, const int32_t *y, int16_t *h);

TE_END_C

#endif
