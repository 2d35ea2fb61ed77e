#include "app.h"

#include "hal.h"
#include "inference.h"
#include "link.h"
#include "look.h"
#include "mlperf.h"
#include "protocol.h"
#include "training.h"
#include "transfer.h"
#include "writing.h"

#define LONGEST_STRING 96u

enum {
    CAN_FRAME = 1,
    CAN_ROWS = 2,
    CAN_PROFILE = 4,
    CAN_TRAIN = 8,
    CAN_REWIND = 16,
    CAN_WRITE = 32,
    CAN_BOXES = 64,
    CAN_LOOK = 128
};
enum { STATISTICS_CLEAR = 1 };

static struct {
    const te_model *model;
    uint32_t metadata_bytes;
    uint32_t lost; /* bytes lost by the serial port since the counters were cleared */
} state;

/* ---- Who we are ---- */

static status identify(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    const te_model *m = state.model;
    const uint32_t can = (fw_inference_has_frame() ? CAN_FRAME : 0u) |
                         (fw_inference_has_rows() ? CAN_ROWS : 0u) | (m->run_profiled ? CAN_PROFILE : 0u) |
                         (fw_training_supported() ? CAN_TRAIN : 0u) | (m->reset ? CAN_REWIND : 0u) |
                         (fw_writing_supported() ? CAN_WRITE : 0u) | (m->boxes ? CAN_BOXES : 0u) |
                         (fw_look_supported() ? CAN_LOOK : 0u);
    put_u32(answer, m->arena_bytes);
    put_u32(answer, m->macs);
    put_u32(answer, state.metadata_bytes);
    put_u32(answer, hal_count_rate());
    put_u16(answer, m->n_inputs);
    put_u16(answer, m->n_outputs);
    put_u16(answer, m->n_layers);
    put_u16(answer, (uint16_t)can);
    const char *strings[] = {FIRMWARE_VERSION, hal_board(), hal_count_unit(), m->name, m->hash};
    for (uint32_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        put_string(answer, strings[i], LONGEST_STRING);
    }
    return STATUS_OK;
}

/* Request: 0 input or 1 output, index. */
static status tensor(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    const te_model *m = state.model;
    if (request[0] > 1 || request[1] >= (request[0] ? m->n_outputs : m->n_inputs)) return STATUS_MALFORMED;
    const te_port *port = &(request[0] ? m->outputs : m->inputs)[request[1]];
    uint32_t scale_bits;
    memcpy(&scale_bits, &port->scale, sizeof scale_bits);
    put_u32(answer, port->bytes);
    put_u32(answer, scale_bits);
    put_u32(answer, (uint32_t)port->zero_point);
    put_u8(answer, port->rank);
    put_u8(answer, port->dtype);
    for (uint32_t i = 0; i < 4; i++) put_u16(answer, i < port->rank ? port->dims[i] : 1);
    put_string(answer, port->name, LONGEST_STRING);
    return STATUS_OK;
}

/* Request: first layer. Answer: first layer, how many, and of each MACs, name, operator. */
static status layers(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    const te_model *m = state.model;
    const uint16_t first = get_u16(request);
    if (first > m->n_layers) return STATUS_MALFORMED;
    put_u16(answer, first);
    put_u16(answer, 0);
    uint16_t count = 0;
    for (uint32_t i = first; i < m->n_layers; i++) {
        const uint32_t before = answer->length;
        put_u32(answer, m->layers ? m->layers[i].macs : 0);
        put_string(answer, m->layers ? m->layers[i].name : "", LONGEST_STRING);
        put_string(answer, m->layers ? m->layers[i].op : "", LONGEST_STRING);
        if (answer->overflow) {
            answer->length = before;
            break;
        }
        count++;
    }
    writer second = {.data = answer->data + 2, .capacity = 2};
    put_u16(&second, count);
    return STATUS_OK;
}

static status metadata_size(uint8_t index, uint32_t *bytes) {
    (void)index;
    *bytes = state.metadata_bytes;
    return STATUS_OK;
}

static void read_metadata(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length) {
    (void)index;
    if (length) memcpy(data, state.model->metadata + offset, length);
}

static status run(const uint8_t *request, uint32_t length, writer *answer) {
    return fw_training_complete() ? fw_inference_run(request, length, answer) : STATUS_NO_STATE;
}

static status trace(const uint8_t *request, uint32_t length, writer *answer) {
    return fw_training_complete() ? fw_inference_trace(request, length, answer) : STATUS_NO_STATE;
}

static status look(const uint8_t *request, uint32_t length, writer *answer) {
    return fw_training_complete() ? fw_look(request, length, answer) : STATUS_NO_STATE;
}

static status profile(const uint8_t *request, uint32_t length, writer *answer) {
    return fw_training_complete() ? fw_inference_profile(request, length, answer) : STATUS_NO_STATE;
}

/* ---- What happened so far ---- */

/* Request: flags. The figures are those before they are cleared. */
static status statistics(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    const link_counters *line = fw_link_statistics();
    state.lost += hal_serial_lost();
    const uint32_t figures[] = {
        hal_millis(),
        fw_inference_runs(),
        fw_inference_last_count(),
        state.model->arena_bytes,
        fw_inference_arena_used(),
        hal_stack_used(),
        hal_stack_size(),
        line->frames,
        line->corrupted,
        line->too_long,
        state.lost,
        fw_protocol_repeats(),
    };
    for (uint32_t i = 0; i < sizeof figures / sizeof figures[0]; i++) put_u32(answer, figures[i]);
    if (request[0] & STATISTICS_CLEAR) {
        fw_transfer_abort();
        fw_inference_paint_arena();
        fw_protocol_clear_statistics();
        state.lost = 0;
    }
    return STATUS_OK;
}

/* ---- */

void fw_app_init(const te_model *model) {
    static const command commands[] = {
        {OP_IDENTIFY, 0, identify},
        {OP_TENSOR, 2, tensor},
        {OP_LAYERS, 2, layers},
        {OP_RUN, 0, run},
        {OP_REWIND, 0, fw_inference_rewind},
        {OP_TRACE, 12, trace},
        {OP_LOOK, 1, look},
        {OP_STATISTICS, 1, statistics},
        {OP_PROFILE, 2, profile},
        {OP_TRAIN_INFO, 0, fw_training_info},
        {OP_TRAIN_STEP, 16, fw_training_step},
        {OP_EVALUATE, 4, fw_training_evaluate},
        {OP_RESET_STATE, 0, fw_training_reset},
        {OP_ACCEPT_STATE, 24, fw_training_accept},
        {OP_CLASS_NAMES, 0, fw_training_names},
        {OP_NAME_CLASSES, 0, fw_training_name},
        {OP_SAVE, 0, fw_training_save},
        {OP_RESTORE, 0, fw_training_restore},
        {OP_FORGET, 0, fw_training_forget},
        {OP_TRAIN_TEXT, 24, fw_training_text},
        {OP_EVALUATE_TEXT, 0, fw_training_judge_text},
        {OP_PROMPT, 16, fw_writing_prompt},
        {OP_WRITE, 4, fw_writing_write},
    };
    static const transfer_target targets[] = {
        {TARGET_FRAME, fw_inference_open_frame, fw_inference_take_frame},
        {TARGET_ROWS, fw_inference_open_rows, fw_inference_take_rows},
        {TARGET_STATE, fw_training_open_state, fw_training_take_state},
    };
    static const transfer_object objects[] = {
        {OBJECT_METADATA, metadata_size, read_metadata},
        {OBJECT_OUTPUT, fw_inference_output_size, fw_inference_read_output},
        {OBJECT_BOXES, fw_inference_boxes_size, fw_inference_read_boxes},
        {OBJECT_STATE, fw_training_state_size, fw_training_read_state},
    };
    state.model = model;
    state.metadata_bytes = (uint32_t)strlen(model->metadata);
    state.lost = 0;
    fw_protocol_init(commands, sizeof commands / sizeof commands[0]);
    fw_transfer_init(targets, sizeof targets / sizeof targets[0], objects,
                     sizeof objects / sizeof objects[0]);
    fw_inference_init(model);
    fw_look_init(model);
    fw_training_init(model, hal_flash_open());
    fw_writing_init(model);
    if (fw_writing_supported()) fw_link_set_tap(fw_writing_take);
#ifdef FW_MLPERF
    fw_mlperf_init(model);
    fw_link_set_tap(fw_mlperf_take);
#endif
}

void fw_app_poll(void) {
    fw_protocol_poll();
}
