#include "transfer.h"

enum { ACK_TAKEN = 0, ACK_REPEATED = 1, ACK_GAP = 2, ACK_PROBE = 3 };

static struct {
    const transfer_target *targets;
    const transfer_object *objects;
    uint32_t n_targets, n_objects;
    const transfer_target *open; /* NULL: no transfer */
    uint16_t id;                 /* sequence number of the request that opened it */
    uint32_t next, length;       /* bytes taken, bytes in all */
    transfer_shape shape;
} state;

void fw_transfer_init(const transfer_target *targets, uint32_t n_targets, const transfer_object *objects,
                      uint32_t n_objects) {
    memset(&state, 0, sizeof state);
    state.targets = targets;
    state.n_targets = n_targets;
    state.objects = objects;
    state.n_objects = n_objects;
}

void fw_transfer_abort(void) {
    state.open = NULL;
}

/* ---- Towards the device ---- */

/* Target, index, flags, 0, length. */
status fw_transfer_open(uint16_t sequence, const uint8_t *request, uint32_t length, writer *answer) {
    if (length < 8) return STATUS_MALFORMED;
    fw_transfer_abort();
    const uint32_t bytes = get_u32(request + 4);
    for (uint32_t i = 0; i < state.n_targets; i++) {
        const transfer_target *target = &state.targets[i];
        if (target->id != request[0]) continue;
        transfer_shape shape = {.unit = 1, .chunk = LINK_DATA_BYTES};
        const status code = target->open(request[1], request[2], bytes, &shape);
        if (code != STATUS_OK) return code;
        state.open = target;
        state.id = sequence;
        state.next = 0;
        state.length = bytes;
        state.shape = shape;
        put_u16(answer, shape.unit);
        put_u16(answer, shape.chunk);
        return STATUS_OK;
    }
    return STATUS_UNSUPPORTED;
}

/* Bytes taken so far, the offset this acknowledges, why, and how many frames may be under way. */
static void acknowledge(const link_header *data, uint32_t offset, status code, uint8_t reason) {
    uint8_t body[LINK_HEADER + 10 + LINK_CRC];
    writer payload = {.data = body + LINK_HEADER, .capacity = 10};
    put_u32(&payload, state.next);
    put_u32(&payload, offset);
    put_u8(&payload, reason);
    put_u8(&payload, PROTOCOL_CREDIT);
    const link_header header = {
        .op = OP_DATA | OP_ANSWER,
        .status = (uint8_t)code,
        .session = data->session,
        .sequence = data->sequence,
        .length = (uint16_t)payload.length,
    };
    fw_link_send(&header, body);
}

/* Offset, then bytes; no bytes: the host asks where we are. */
void fw_transfer_data(const link_header *header, uint8_t *payload) {
    if (header->length < 4) {
        acknowledge(header, 0, STATUS_MALFORMED, ACK_TAKEN);
        return;
    }
    const uint32_t offset = get_u32(payload), length = header->length - 4u;
    if (state.open == NULL || header->sequence != state.id) {
        acknowledge(header, offset, STATUS_NO_TRANSFER, ACK_TAKEN);
        return;
    }
    if (length == 0) {
        acknowledge(header, offset, STATUS_OK, ACK_PROBE);
    } else if (offset < state.next) {
        acknowledge(header, offset, STATUS_OK, ACK_REPEATED);
    } else if (offset > state.next) {
        acknowledge(header, offset, STATUS_OK, ACK_GAP);
    } else if (length > state.shape.chunk || length % state.shape.unit || length > state.length - offset) {
        acknowledge(header, offset, STATUS_BAD_CHUNK, ACK_TAKEN);
    } else {
        const status code = state.open->accept(offset, payload + 4, length);
        if (code == STATUS_OK) state.next += length;
        acknowledge(header, offset, code, ACK_TAKEN);
    }
}

/* ---- From the device ---- */

/* Object, index, 0, 0, offset, length. Sends the answer itself, in frames of at most LINK_DATA_BYTES, using
 * `body`; whatever is not STATUS_OK is left to the caller to send. */
status fw_transfer_read(const link_header *header, const uint8_t *request, uint8_t *body) {
    if (header->length < 12) return STATUS_MALFORMED;
    const uint8_t index = request[1];
    uint32_t offset = get_u32(request + 4), left = get_u32(request + 8);
    for (uint32_t i = 0; i < state.n_objects; i++) {
        const transfer_object *object = &state.objects[i];
        if (object->id != request[0]) continue;
        uint32_t bytes = 0;
        const status code = object->size(index, &bytes);
        if (code != STATUS_OK) return code;
        if (offset > bytes || left > bytes - offset) return STATUS_MALFORMED;
        do {
            const uint32_t length = left < LINK_DATA_BYTES ? left : LINK_DATA_BYTES;
            writer payload = {.data = body + LINK_HEADER, .capacity = LINK_PAYLOAD};
            put_u32(&payload, offset);
            object->read(index, offset, body + LINK_HEADER + 4, length);
            const link_header answer = {
                .op = OP_READ | OP_ANSWER,
                .session = header->session,
                .sequence = header->sequence,
                .length = (uint16_t)(4 + length),
            };
            fw_link_send(&answer, body);
            offset += length;
            left -= length;
        } while (left);
        return STATUS_OK;
    }
    return STATUS_NOT_THERE;
}
