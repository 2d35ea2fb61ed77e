/* Plain functions over a te_model for ctypes: no struct layout has to be known in Python. */
#include "tinyengine/te_model.h"

extern const te_model *const native_models[];

uint32_t native_bytes(uint32_t model, int output, uint32_t index);
void native_io(uint32_t model, int output, uint32_t index, uint8_t *buffer);
uint32_t native_boxes(uint32_t model, uint16_t *buffer);
void native_reset(uint32_t model);
void native_run(uint32_t model);
void native_trace(uint32_t model, uint32_t layer, uint32_t offset, uint32_t bytes, uint8_t *buffer);
uint8_t *native_state(uint32_t model);
void native_factory(uint32_t model);
float *native_velocity(uint32_t model);
float native_step(uint32_t model, uint32_t label, uint32_t classes, float rate, uint32_t seed, uint32_t step,
                  float momentum, uint32_t batch, uint32_t number, uint32_t *predicted);
float native_segment(uint32_t model, const uint16_t *tokens, uint32_t count, int update, float rate,
                     uint32_t seed, uint32_t step, float momentum, uint32_t batch, uint32_t number,
                     uint32_t *predicted);
float native_evaluate(uint32_t model, uint32_t label, uint32_t classes, uint32_t *predicted);
uint32_t native_encode(uint32_t model, const uint8_t *text, uint32_t length, uint16_t *tokens);
uint32_t native_seed(uint32_t seed);
uint32_t native_next(uint32_t model, uint32_t token, uint32_t sharpness, uint32_t share, uint32_t *random);
uint32_t native_decode(uint32_t model, uint32_t token, uint32_t before, uint8_t *text);

static const te_port *port(uint32_t model, int output, uint32_t index) {
    const te_model *m = native_models[model];
    return output ? &m->outputs[index] : &m->inputs[index];
}

uint32_t native_bytes(uint32_t model, int output, uint32_t index) {
    return port(model, output, index)->bytes;
}

/* output 0: copies buffer into the input, or pushes it by rows; output 1: copies the output into buffer. */
void native_io(uint32_t model, int output, uint32_t index, uint8_t *buffer) {
    const te_port *p = port(model, output, index);
    uint8_t *data = p->data;
    if (data == NULL) {
        native_models[model]->begin();
        native_models[model]->push_rows(buffer, p->dims[0]);
        return;
    }
    for (uint32_t i = 0; i < p->bytes; i++) {
        if (output)
            buffer[i] = data[i];
        else
            data[i] = buffer[i];
    }
}

void native_run(uint32_t model) {
    const te_model *m = native_models[model];
    if (m->run)
        m->run();
    else
        m->finish();
}

typedef struct trace {
    const uint8_t *from;
    uint8_t *to;
    uint32_t layer, bytes;
} trace;

static void catch_layer(void *context, uint32_t index) {
    const trace *t = context;
    if (index != t->layer) return;
    for (uint32_t i = 0; i < t->bytes; i++) t->to[i] = t->from[i];
}

/* Runs the network; buffer gets what a piece of the arena holds right after a layer. */
void native_trace(uint32_t model, uint32_t layer, uint32_t offset, uint32_t bytes, uint8_t *buffer) {
    const te_model *m = native_models[model];
    trace t = {.from = m->arena + offset, .to = buffer, .layer = layer, .bytes = bytes};
    m->run_profiled(catch_layer, &t);
}

/* What a detector finds in its outputs: 6 numbers each; returns how many. */
uint32_t native_boxes(uint32_t model, uint16_t *buffer) {
    const te_boxes *boxes = native_models[model]->boxes;
    const uint32_t count = boxes->find();
    for (uint32_t i = 0; i < count; i++) {
        const te_box *b = &boxes->found[i];
        const uint16_t numbers[6] = {b->index, b->score, b->left, b->top, b->right, b->bottom};
        for (uint32_t k = 0; k < 6; k++) buffer[6 * i + k] = numbers[k];
    }
    return count;
}

void native_reset(uint32_t model) {
    if (native_models[model]->reset) native_models[model]->reset();
}

/* ---- training; the input is delivered by native_io ---- */

uint8_t *native_state(uint32_t model) {
    return native_models[model]->trainer->state;
}

void native_factory(uint32_t model) {
    native_models[model]->trainer->reset();
}

float *native_velocity(uint32_t model) {
    return native_models[model]->trainer->velocity;
}

float native_step(uint32_t model, uint32_t label, uint32_t classes, float rate, uint32_t seed, uint32_t step,
                  float momentum, uint32_t batch, uint32_t number, uint32_t *predicted) {
    const te_train_sample sample = {(uint16_t)label, (uint16_t)classes};
    const te_train_update update = {rate, seed, step, momentum, (uint16_t)batch, (uint16_t)number};
    const te_train_result result = native_models[model]->trainer->step(&sample, &update);
    *predicted = result.predicted;
    return result.loss;
}

float native_evaluate(uint32_t model, uint32_t label, uint32_t classes, uint32_t *predicted) {
    const te_train_sample sample = {(uint16_t)label, (uint16_t)classes};
    const te_train_result result = native_models[model]->trainer->evaluate(&sample);
    *predicted = result.predicted;
    return result.loss;
}

/* tokens: count + 1 of them. update: whether to train. Momentum, batch, number as for native_step. */
float native_segment(uint32_t model, const uint16_t *tokens, uint32_t count, int update, float rate,
                     uint32_t seed, uint32_t step, float momentum, uint32_t batch, uint32_t number,
                     uint32_t *predicted) {
    const te_train_update how = {rate, seed, step, momentum, (uint16_t)batch, (uint16_t)number};
    const te_train_result result =
        native_models[model]->trainer->segment(tokens, count, update ? &how : NULL);
    *predicted = result.predicted;
    return result.loss;
}

/* ---- language models ---- */

uint32_t native_encode(uint32_t model, const uint8_t *text, uint32_t length, uint16_t *tokens) {
    const te_lm_text *t = native_models[model]->text;
    return t->encode(t, text, length, true, tokens);
}

uint32_t native_seed(uint32_t seed) {
    return te_lm_seed(seed);
}

/* The token that follows on another one. */
uint32_t native_next(uint32_t model, uint32_t token, uint32_t sharpness, uint32_t share, uint32_t *random) {
    const te_model *m = native_models[model];
    const te_lm_settings settings = {sharpness, share};
    *(int32_t *)m->inputs[0].data = (int32_t)token;
    m->run();
    return m->text->sample(m->text, &settings, m->outputs[0].data, random);
}

uint32_t native_decode(uint32_t model, uint32_t token, uint32_t before, uint8_t *text) {
    const te_lm_text *t = native_models[model]->text;
    return t->decode(t, token, before, text);
}
