#include "tinyengine/te_lstm_f32.h"

#include "../support/te_tiles_f32.h"

/* One step. gates: of each unit four sums over the row of x. */
static void step(const te_lstm_f32_params *p, const float *gates, const float *before, float *hidden,
                 float *cell) {
    const float *w = p->recurrent;
    for (uint32_t u = 0; u < p->units; u++, gates += 4, w += 4 * p->units) {
        float sums[4];
        te_tile_1x4(before, w, p->units, sums);
        const float in = te_logistic_f32(gates[0] + sums[0]), kept = te_logistic_f32(gates[1] + sums[1]);
        const float change = te_tanh_f32(gates[2] + sums[2]), shown = te_logistic_f32(gates[3] + sums[3]);
        float value = kept * cell[u];
        value = value + in * change;
        if (p->clip > 0.0f) value = te_clamp_f32(value, -p->clip, p->clip);
        cell[u] = value;
        hidden[u] = shown * te_tanh_f32(value);
    }
}

void te_lstm_f32(const te_lstm_f32_params *p, const float *x, const float *hidden, const float *cell,
                 float *y, float *hidden_next, float *cell_next, void *scratch) {
    const uint32_t units = p->units;
    float *const gates = scratch, *const before = gates + 16 * units;
    const float *columns[4];
    memmove(hidden_next, hidden, units * sizeof *hidden);
    memmove(cell_next, cell, units * sizeof *cell);
    for (uint32_t row = 0, count; row < p->steps; row += count, x += count * p->in) {
        count = p->steps - row >= 4 ? 4 : 1;
        for (uint32_t i = 0; i < count; i++) columns[i] = x + i * p->in;
        te_outputs_of_columns(&p->input, columns, count, p->in, 0, 4 * units, gates);
        for (uint32_t i = 0; i < count; i++, y += units) {
            memcpy(before, hidden_next, units * sizeof *before);
            step(p, gates + i * 4 * units, before, hidden_next, cell_next);
            memcpy(y, hidden_next, units * sizeof *y);
        }
    }
}
