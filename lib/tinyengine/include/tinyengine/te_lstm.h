/* LSTM: its states are inputs and outputs; each next state may lie where its state lies.
 *
 * Weights are quads of rows (../src/support/te_four_sums.h): packed, or with `rows` set one row after the other.
 */
#ifndef TE_LSTM_H
#define TE_LSTM_H

#include "tinyengine/te_requant.h"

TE_BEGIN_C

/* For each unit 8 words of biases (of the input for the gates input, forget, cell, output; of the hidden state; less
 * zero point * sum of the weights), the weights of its gates for the input, and for the hidden state. */
typedef struct te_lstm_params {
    uint32_t steps, in, units;
    uint32_t rows;
    const uint32_t *weights;
    te_factor input[4], recurrent[4]; /* from sums to gates, 12 fraction bits */
    te_factor hidden;                 /* from 30 fraction bits to the hidden state */
    int32_t zero;                     /* of the hidden state */
    int32_t cell_bits;                /* integer bits of a cell, 0 to 6 */
    int32_t clip;                     /* largest magnitude of a cell; 0: none */
} te_lstm_params;

/* y: the hidden state after each step; it may lie over or before x as far as its rows do not run ahead. Scratch: 8
 * bytes per 4 inputs and per 4 units, each rounded up. */
void te_lstm_s8(const te_lstm_params *p, const int8_t *x, const int8_t *hidden, const int16_t *cell,
                int8_t *y, int8_t *hidden_next, int16_t *cell_next, void *scratch);

TE_END_C

#endif
