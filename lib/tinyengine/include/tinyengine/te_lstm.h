/* LSTM: its states are inputs and outputs; each next state may lie where its state lies.
 *
 * Weights are quads of rows (../src/support/te_four_sums.h): packed, or with `rows` set one row after the other.
 */
#ifndef TE_LSTM_H
#define TE_LSTM_H

#include "tinyengine/te_dense_fast.h"
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

/* 2 / (1 + exp(-v)) with 13 fraction bits for v = 0 to 8 by steps of 1 / 4096, in pieces of 32 values. A piece
 * is 32 times 3 bits, the first ones lowest, and a word: value i is (word + i * (its low half)) >> 16 and its 3 bits. */
#define TE_CURVES 1025

/* A factor as te_round_wide takes it. */
typedef struct te_down {
    int32_t m, c, e, l, s;
} te_down;

/* The same with sums by te_dense_fast.h, two steps of the input at once, and functions by a table. */
typedef struct te_lstm_fast_params {
    te_lstm_params lstm;       /* its weights: per unit 4 biases and the weights for the input, in pairs */
    const uint32_t *recurrent; /* the same for the hidden state */
    const uint32_t *curves;    /* [TE_CURVES][4] */
    te_down input[4], state[4], hidden;
} te_lstm_fast_params;

/* Scratch: per 4 inputs 16 bytes and per 4 units 8, each rounded up; 48 per unit. */
void te_lstm_fast_s8(const te_lstm_fast_params *p, const int8_t *x, const int8_t *hidden, const int16_t *cell,
                     int8_t *y, int8_t *hidden_next, int16_t *cell_next, void *scratch);

TE_END_C

#endif
