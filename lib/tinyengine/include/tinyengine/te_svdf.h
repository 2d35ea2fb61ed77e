/* SVDF: its state is an input and an output; the next state may lie where the state lies.
 *
 * Weights are quads of rows (../src/support/te_four_sums.h): packed, or with `rows` set one row after the other. With
 * `sums` set they are what that wants (te_dense_fast.h).
 */
#ifndef TE_SVDF_H
#define TE_SVDF_H

#include "tinyengine/te_dense_fast.h"
#include "tinyengine/te_requant.h"

TE_BEGIN_C

/* State: [memory][filters], the oldest first. weights: per quad of filters 4 words of biases (less zero point * sum
 * of the weights) and its weights. over_time: per quad of filters, the last filled up with zeros, [memory][4]
 * of the state's type. */
typedef struct te_svdf_params {
    uint32_t in, filters, memory, rank;
    uint32_t rows;
    te_dense_fn *sums; /* te_dense_sums, te_dense_sums_pairs, or NULL */
    const uint32_t *weights;
    const void *over_time;
    const int32_t *bias; /* [filters / rank], less zero point of the state * sum of the weights over time */
    te_factor to_state, to_output;
    int32_t state_zero, zero; /* the latter of the output */
} te_svdf_params;

/* Scratch: 8 bytes per 4 inputs, rounded up, and 16 per 4 filters; y may lie anywhere over x. */
void te_svdf_s16(const te_svdf_params *p, const int8_t *x, const int16_t *state, int8_t *y,
                 int16_t *state_next, void *scratch);
void te_svdf_s8(const te_svdf_params *p, const int8_t *x, const int8_t *state, int8_t *y, int8_t *state_next,
                void *scratch);

TE_END_C

#endif
