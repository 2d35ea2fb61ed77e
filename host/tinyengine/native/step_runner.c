/* Training steps of the first network of native_models, for sanitizers: from stdin the number of steps, and
 * per step label, classes (32 bits each), te_train_update as it lies in memory and the input; to stdout
 * per step the loss, the predicted class, then the state. */
#include <stdio.h>
#include <stdlib.h>

#include "tinyengine/te_model.h"

extern const te_model *const native_models[];

typedef struct request {
    uint32_t label, classes;
    te_train_update update;
} request;

/* Of a language model: label + 1 tokens. */
static int segment(const te_model *m, const request *r, te_train_result *result) {
    const size_t count = r->label + 1;
    uint16_t *tokens = malloc(count * sizeof *tokens);
    const int whole = tokens && fread(tokens, sizeof *tokens, count, stdin) == count;
    if (whole) *result = m->trainer->segment(tokens, r->label, &r->update);
    free(tokens);
    return whole;
}

/* Rows have memory of their own, so that reading beyond one is found. */
static int deliver(const te_model *m) {
    if (m->run) return fread(m->inputs[0].data, 1, m->inputs[0].bytes, stdin) == m->inputs[0].bytes;
    const uint32_t bytes = m->inputs[0].bytes / m->inputs[0].dims[0];
    m->begin();
    for (uint32_t row = 0; row < m->inputs[0].dims[0]; row++) {
        int8_t *data = malloc(bytes);
        const int whole = data && fread(data, 1, bytes, stdin) == bytes;
        if (whole) m->push_rows(data, 1);
        free(data);
        if (!whole) return 0;
    }
    return 1;
}

static int step(const te_model *m, const request *r, te_train_result *result) {
    const te_train_sample sample = {(uint16_t)r->label, (uint16_t)r->classes};
    if (!deliver(m)) return 0;
    *result = m->trainer->step(&sample, &r->update);
    return 1;
}

int main(void) {
    const te_model *m = native_models[0];
    const te_trainer *t = m->trainer;
    uint32_t steps;
    if (fread(&steps, sizeof steps, 1, stdin) != 1) return 2;
    t->reset();
    for (; steps > 0; steps--) {
        request r;
        te_train_result result;
        if (fread(&r, sizeof r, 1, stdin) != 1) return 2;
        if (!(t->segment ? segment : step)(m, &r, &result)) return 2;
        const uint32_t predicted = result.predicted;
        if (fwrite(&result.loss, 4, 1, stdout) != 1 || fwrite(&predicted, 4, 1, stdout) != 1 ||
            fwrite(t->state, 1, t->state_bytes, stdout) != t->state_bytes)
            return 3;
    }
    return 0;
}
