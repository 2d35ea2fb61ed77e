#include "inference.h"

#include "crc32.h"
#include "hal.h"

#define MOST_INPUTS 31u /* bits of `loaded` */

static struct {
    const te_model *model;
    uint32_t loaded;    /* bit i: input i is complete */
    uint32_t opened;    /* bit of the input being uploaded */
    uint32_t expected;  /* its bytes */
    uint32_t grow;      /* bytes of tensor per byte on the wire: 1, or the channels of a gray upload */
    bool by_rows;       /* the upload goes through begin, push_rows, finish */
    bool outputs_valid; /* nothing has touched the arena since the last run */
    uint32_t count;     /* counter ticks of this run so far */
    uint32_t boxes;     /* bytes of those that were found; 0 also where nobody has looked for any */
    uint32_t runs, last_count, last_ms;
} state;

void fw_inference_init(const te_model *model) {
    memset(&state, 0, sizeof state);
    state.model = model;
    fw_inference_paint_arena();
    if (model->reset) model->reset();
}

uint32_t fw_inference_runs(void) {
    return state.runs;
}
uint32_t fw_inference_last_count(void) {
    return state.last_count;
}

/* ---- The arena's high-water mark ---- */

/* Differs from byte to byte, so that no constant fill by a kernel passes for paint. */
static uint8_t paint(uint32_t i) {
    return (uint8_t)(i * 151u + 90u);
}

void fw_inference_paint_arena(void) {
    for (uint32_t i = 0; i < state.model->arena_bytes; i++) state.model->arena[i] = paint(i);
    fw_inference_drop();
}

uint32_t fw_inference_arena_used(void) {
    uint32_t top = state.model->arena_bytes;
    while (top > 0 && state.model->arena[top - 1] == paint(top - 1)) top--;
    return top;
}

/* ---- Inputs ---- */

bool fw_inference_has_frame(void) {
    const te_model *m = state.model;
    return m->run && m->inputs[0].data && m->n_inputs <= MOST_INPUTS;
}

static uint32_t row_bytes(void) {
    const te_port *in = &state.model->inputs[0];
    return in->rank == 3 && in->dims[0] ? in->bytes / in->dims[0] : 0;
}

bool fw_inference_has_rows(void) {
    const te_model *m = state.model;
    return m->begin && m->push_rows && m->finish && m->n_inputs == 1 && row_bytes() > 0 &&
           row_bytes() <= LINK_DATA_BYTES;
}

/* Common to both ways; `bytes` come over the wire. */
static status open_input(uint8_t index, uint8_t flags, uint32_t bytes) {
    const te_port *in = &state.model->inputs[index];
    state.outputs_valid = false;
    state.loaded &= ~(1u << index);
    state.opened = 1u << index;
    state.expected = in->bytes;
    state.grow = 1;
    state.count = 0;
    if (flags & OPEN_GRAY) {
        if (in->rank != 3 || in->dims[2] == 0 || in->dims[2] > LINK_DATA_BYTES || in->dtype > TE_UINT8)
            return STATUS_UNSUPPORTED; /* a byte on the wire is not a value */
        state.grow = in->dims[2];
    }
    return bytes == in->bytes / state.grow ? STATUS_OK : STATUS_MALFORMED;
}

/* Spreads each of `length` bytes over `grow` bytes, in place, from the end so that nothing
 * is overwritten unread. */
static uint32_t spread(uint8_t *data, uint32_t length, uint32_t grow) {
    if (grow > 1) {
        for (uint32_t i = length; i-- > 0;) {
            const uint8_t v = data[i];
            for (uint32_t c = 0; c < grow; c++) data[i * grow + c] = v;
        }
    }
    return length * grow;
}

static void took(uint32_t end) {
    if (end == state.expected) state.loaded |= state.opened;
}

status fw_inference_open_frame(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape) {
    if (!fw_inference_has_frame()) return STATUS_UNSUPPORTED;
    if (index >= state.model->n_inputs) return STATUS_MALFORMED;
    const status code = open_input(index, flags, length);
    if (state.by_rows) state.loaded = 0; /* rows have run over the other inputs */
    state.by_rows = false;
    shape->chunk = (uint16_t)(LINK_DATA_BYTES / state.grow);
    return code;
}

status fw_inference_take_frame(uint32_t offset, uint8_t *data, uint32_t length) {
    uint32_t index = 0;
    while (state.opened >> index != 1u) index++;
    const uint32_t start = offset * state.grow, bytes = spread(data, length, state.grow);
    memcpy((uint8_t *)state.model->inputs[index].data + start, data, bytes);
    took(start + bytes);
    return STATUS_OK;
}

status fw_inference_open_rows(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape) {
    if (!fw_inference_has_rows()) return STATUS_UNSUPPORTED;
    if (index != 0) return STATUS_MALFORMED;
    const status code = open_input(index, flags, length);
    if (code != STATUS_OK) return code;
    state.by_rows = true;
    shape->unit = (uint16_t)(row_bytes() / state.grow);
    shape->chunk = (uint16_t)(LINK_DATA_BYTES / row_bytes() * shape->unit);
    const uint32_t start = hal_count();
    state.model->begin();
    state.count = hal_count() - start;
    return STATUS_OK;
}

status fw_inference_take_rows(uint32_t offset, uint8_t *data, uint32_t length) {
    const uint32_t bytes = spread(data, length, state.grow);
    const uint32_t start = hal_count();
    state.model->push_rows(data, bytes / row_bytes());
    state.count += hal_count() - start;
    took(offset * state.grow + bytes);
    return STATUS_OK;
}

void fw_inference_drop(void) {
    state.loaded = 0;
    state.outputs_valid = false;
}

status fw_inference_take_input(uint32_t *count) {
    const te_model *m = state.model;
    if (m->n_inputs > MOST_INPUTS || state.loaded != (1u << m->n_inputs) - 1u) return STATUS_INCOMPLETE;
    fw_transfer_abort();
    fw_inference_drop();
    *count = state.by_rows ? state.count : 0;
    return STATUS_OK;
}

/* ---- Running ---- */

/* What is left to do of a run whose first part took `count` ticks. */
static void compute(uint32_t count, bool boxes) {
    const te_model *m = state.model;
    const uint32_t start = hal_count();
    if (state.by_rows) {
        m->finish();
    } else {
        m->run();
    }
    state.boxes = boxes ? m->boxes->find() * (uint32_t)sizeof(te_box) : 0;
    state.last_count = count + (hal_count() - start);
    state.outputs_valid = true;
    state.runs++;
}

static void put_as_fits(writer *answer, const void *data, uint32_t bytes) {
    const uint32_t room = answer->capacity - answer->length;
    put_bytes(answer, data, bytes < room ? bytes : room);
}

/* Number of this run, counter ticks, milliseconds, bytes of all outputs, or of the boxes, then as much of them as fits. */
static void put_result(writer *answer, uint32_t milliseconds, bool boxes) {
    const te_model *m = state.model;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < m->n_outputs; i++) bytes += m->outputs[i].bytes;
    put_u32(answer, state.runs);
    put_u32(answer, state.last_count);
    put_u32(answer, milliseconds);
    put_u32(answer, boxes ? state.boxes : bytes);
    if (boxes) {
        put_as_fits(answer, m->boxes->found, state.boxes);
        return;
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) put_as_fits(answer, m->outputs[i].data, m->outputs[i].bytes);
}

bool fw_inference_can(uint32_t flags) {
    return flags == 0 || (flags == RUN_BOXES && state.model->boxes != NULL);
}

/* Request: flags, which may be missing. */
status fw_inference_run(const uint8_t *request, uint32_t length, writer *answer) {
    const uint32_t flags = length > 0 ? request[0] : 0;
    if (!fw_inference_can(flags)) return STATUS_UNSUPPORTED;
    uint32_t count;
    const status code = fw_inference_take_input(&count);
    if (code != STATUS_OK) return code;
    if (state.runs == 0 || state.last_ms > PROTOCOL_BUSY_AFTER_MS) fw_protocol_busy(state.last_ms);
    const uint32_t start_ms = hal_millis();
    compute(count, flags & RUN_BOXES);
    state.last_ms = hal_millis() - start_ms;
    put_result(answer, state.last_ms, flags & RUN_BOXES);
    return STATUS_OK;
}

void fw_inference_begin_rows(void) {
    fw_transfer_abort();
    fw_inference_drop();
    state.by_rows = true;
    state.model->begin();
}

void fw_inference_finish_rows(uint32_t flags, uint32_t count, uint32_t since, writer *answer) {
    compute(count, flags & RUN_BOXES);
    put_result(answer, hal_millis() - since, flags & RUN_BOXES);
}

status fw_inference_boxes_size(uint8_t index, uint32_t *bytes) {
    if (!state.outputs_valid || index > 0 || state.boxes == 0) return STATUS_NOT_THERE;
    *bytes = state.boxes;
    return STATUS_OK;
}

void fw_inference_read_boxes(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length) {
    (void)index;
    memcpy(data, (const uint8_t *)state.model->boxes->found + offset, length);
}

status fw_inference_output_size(uint8_t index, uint32_t *bytes) {
    if (!state.outputs_valid || index >= state.model->n_outputs) return STATUS_NOT_THERE;
    *bytes = state.model->outputs[index].bytes;
    return STATUS_OK;
}

void fw_inference_read_output(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length) {
    memcpy(data, (const uint8_t *)state.model->outputs[index].data + offset, length);
}

/* Uploaded inputs stay; outputs go, for one that is also a next value lies in the bytes of its state. */
status fw_inference_rewind(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    (void)answer;
    if (state.model->reset == NULL) return STATUS_UNSUPPORTED;
    state.outputs_valid = false;
    state.model->reset();
    return STATUS_OK;
}

/* ---- Layer by layer ---- */

static void still_busy(uint32_t *last_ms) {
    if (hal_millis() - *last_ms <= 500u) return;
    fw_protocol_busy(0);
    *last_ms = hal_millis();
}

typedef struct trace {
    writer *answer;
    uint32_t layer, offset, bytes, busy_ms;
} trace;

static void catch_layer(void *context, uint32_t index) {
    trace *t = context;
    if (index == t->layer) {
        const uint8_t *from = state.model->arena + t->offset;
        put_u32(t->answer, fw_crc32(0, from, t->bytes));
        const uint32_t room = t->answer->capacity - t->answer->length;
        put_bytes(t->answer, from, t->bytes < room ? t->bytes : room);
    }
    still_busy(&t->busy_ms);
}

/* A run that answers what a piece of the arena holds right after one layer: its CRC, then as much of it as
 * fits. */
status fw_inference_trace(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    const te_model *m = state.model;
    trace t = {.answer = answer, .layer = get_u16(request)};
    t.offset = get_u32(request + 4);
    t.bytes = get_u32(request + 8);
    if (m->run_profiled == NULL) return STATUS_UNSUPPORTED;
    if (t.layer >= m->n_layers || t.offset > m->arena_bytes || t.bytes > m->arena_bytes - t.offset)
        return STATUS_MALFORMED;
    uint32_t count;
    const status code = fw_inference_take_input(&count);
    if (code != STATUS_OK) return code;
    fw_protocol_busy(state.last_ms);
    t.busy_ms = hal_millis();
    m->run_profiled(catch_layer, &t);
    state.runs++;
    return STATUS_OK;
}

/* ---- Profile ---- */

typedef struct profile {
    writer *answer;
    uint32_t first, layer_start, busy_ms;
} profile;

static void after_layer(void *context, uint32_t index) {
    const uint32_t now = hal_count();
    profile *p = context;
    if (index >= p->first) put_u32(p->answer, now - p->layer_start); /* the rest waits for another request */
    still_busy(&p->busy_ms);
    p->layer_start = hal_count();
}

/* Rows of a network that keeps no frame: what they hold is of no account, but they have to be there. */
static void push_blank(void) {
    static const uint8_t blank[LINK_DATA_BYTES];
    const te_model *m = state.model;
    m->begin();
    for (uint32_t row = 0; row < m->inputs[0].dims[0]; row++) m->push_rows(blank, 1);
}

/* Runs on whatever the arena holds, or on blank rows, and answers counter ticks of each layer
 * from the given one on. */
status fw_inference_profile(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    const te_model *m = state.model;
    const uint16_t first = get_u16(request);
    if (m->run_profiled == NULL || (m->run == NULL && !fw_inference_has_rows())) return STATUS_UNSUPPORTED;
    if (first >= m->n_layers) return STATUS_MALFORMED;
    fw_transfer_abort();
    fw_inference_drop();
    fw_protocol_busy(state.last_ms);
    put_u16(answer, first);
    profile p = {.answer = answer, .first = first, .busy_ms = hal_millis()};
    p.layer_start = hal_count();
    if (m->run == NULL) push_blank();
    m->run_profiled(after_layer, &p);
    if (m->reset) m->reset(); /* what the profile ran on means nothing to the states */
    return STATUS_OK;
}
