/* Plain functions over a te_model for ctypes: no struct layout has to be known in Python. */
#include "tinyengine/te_model.h"

extern const te_model *const native_models[];

uint32_t native_bytes(uint32_t model, int output, uint32_t index);
void native_io(uint32_t model, int output, uint32_t index, int8_t *buffer);
void native_run(uint32_t model);

static const te_port *port(uint32_t model, int output, uint32_t index) {
    const te_model *m = native_models[model];
    return output ? &m->outputs[index] : &m->inputs[index];
}

uint32_t native_bytes(uint32_t model, int output, uint32_t index) {
    return port(model, output, index)->bytes;
}

/* output 0: copies buffer into the input, or pushes it by rows; output 1: copies the output into buffer. */
void native_io(uint32_t model, int output, uint32_t index, int8_t *buffer) {
    const te_port *p = port(model, output, index);
    if (p->data == NULL) {
        native_models[model]->begin();
        native_models[model]->push_rows(buffer, p->dims[0]);
        return;
    }
    for (uint32_t i = 0; i < p->bytes; i++) {
        if (output)
            buffer[i] = p->data[i];
        else
            p->data[i] = buffer[i];
    }
}

void native_run(uint32_t model) {
    const te_model *m = native_models[model];
    if (m->run)
        m->run();
    else
        m->finish();
}
