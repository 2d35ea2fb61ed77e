/* UNIDIRECTIONAL_SEQUENCE_LSTM of float32. */
#ifndef TE_LSTM_F32_H
#define TE_LSTM_F32_H

#include "tinyengine/te_conv_f32.h"

TE_BEGIN_C

typedef struct te_lstm_f32_params {
    uint32_t steps, in, units;
    te_outputs_f32 input;   /* of a row of x to the gates, unit by unit: input, forget, cell, output */
    const float *recurrent; /* [units][units][4]: of each unit, by hidden value, the weights of its gates */
    float clip;             /* largest magnitude of a cell; 0: any */
} te_lstm_f32_params;

/* Per step and gate: the sum over x, as te_dense_f32 adds it up, and then the sum over the hidden state. Both states are
 * read, then four rows of x and what they give at a time. hidden_next may be hidden, cell_next may be cell.
 *
 * scratch: 17 * units floats. */
void te_lstm_f32(const te_lstm_f32_params *p, const float *x, const float *hidden, const float *cell,
                 float *y, float *hidden_next, float *cell_next, void *scratch);

TE_END_C

#endif
