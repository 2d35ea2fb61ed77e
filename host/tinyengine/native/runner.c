/* Runs every network of native_models once over inputs from stdin, outputs to stdout: for sanitizers, which a
 * shared library inside Python would not get. */
#include <stdio.h>

#include "tinyengine/te_model.h"

extern const te_model *const native_models[];
extern const uint32_t native_model_count;

int main(void) {
    for (uint32_t k = 0; k < native_model_count; k++) {
        const te_model *m = native_models[k];
        for (uint32_t i = 0; i < m->n_inputs; i++)
            if (fread(m->inputs[i].data, 1, m->inputs[i].bytes, stdin) != m->inputs[i].bytes) return 2;
        m->run();
        for (uint32_t i = 0; i < m->n_outputs; i++)
            if (fwrite(m->outputs[i].data, 1, m->outputs[i].bytes, stdout) != m->outputs[i].bytes) return 3;
    }
    return 0;
}
