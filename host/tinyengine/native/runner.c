/* Runs every network of native_models over inputs from stdin, outputs to stdout, as often as the uint32 in front of its
 * inputs says: for sanitizers, which a shared library inside Python would not get. */
#include <stdio.h>
#include <stdlib.h>

#include "tinyengine/te_model.h"

extern const te_model *const native_models[];
extern const uint32_t native_model_count;

/* Row by row, each in memory of its own, so that reading beyond a row is found. */
static int push(const te_model *m) {
    const uint32_t bytes = m->inputs[0].bytes / m->inputs[0].dims[0];
    m->begin();
    for (uint32_t row = 0; row < m->inputs[0].dims[0]; row++) {
        int8_t *data = malloc(bytes);
        const int whole = data && fread(data, 1, bytes, stdin) == bytes;
        if (whole) m->push_rows(data, 1);
        free(data);
        if (!whole) return 0;
    }
    m->finish();
    return 1;
}

static int run(const te_model *m) {
    for (uint32_t i = 0; i < m->n_inputs; i++)
        if (fread(m->inputs[i].data, 1, m->inputs[i].bytes, stdin) != m->inputs[i].bytes) return 0;
    m->run();
    return 1;
}

int main(void) {
    for (uint32_t k = 0; k < native_model_count; k++) {
        const te_model *m = native_models[k];
        uint32_t runs;
        if (fread(&runs, sizeof runs, 1, stdin) != 1) return 2;
        if (m->reset) m->reset();
        for (; runs; runs--) {
            if (!(m->run ? run(m) : push(m))) return 2;
            for (uint32_t i = 0; i < m->n_outputs; i++)
                if (fwrite(m->outputs[i].data, 1, m->outputs[i].bytes, stdout) != m->outputs[i].bytes)
                    return 3;
        }
    }
    return 0;
}
