#include "protocol.h"

#include "hal.h"
#include "link.h"
#include "transfer.h"

#define SMALL_PAYLOAD 8u

static struct {
    const command *commands;
    uint32_t n_commands;
    uint16_t session;  /* 0: none yet */
    uint16_t sequence; /* of the last request that was executed */
    uint32_t crc;      /* of that request */
    bool answered;     /* `answer` and `body` hold its answer */
    link_header answer;
    _Alignas(4) uint8_t body[LINK_BODY];
    uint32_t repeats;
    uint32_t baud, previous_baud, new_baud; /* new_baud: to be set after the answer; 0: none */
    bool trial;                             /* at `baud`, nothing good received yet */
    bool reset;                             /* to be done after the answer */
    uint32_t last_heard; /* hal_millis of the last good frame, or of the end of handling it */
} state;

static const uint8_t magic[4] = {'T', 'I', 'N', 'Y'};

void fw_protocol_init(const command *commands, uint32_t count) {
    memset(&state, 0, sizeof state);
    state.commands = commands;
    state.n_commands = count;
    state.baud = PROTOCOL_BAUD;
    fw_link_init();
}

uint32_t fw_protocol_repeats(void) {
    return state.repeats;
}

void fw_protocol_clear_statistics(void) {
    state.repeats = 0;
    fw_link_clear_statistics();
}

/* A frame that is not remembered: busy, or a refusal of something that was not executed. */
static void send_small(const link_header *request, status code, uint32_t value, uint16_t length) {
    uint8_t body[LINK_HEADER + SMALL_PAYLOAD + LINK_CRC];
    writer payload = {.data = body + LINK_HEADER, .capacity = SMALL_PAYLOAD};
    put_u32(&payload, value);
    const link_header header = {
        .op = (uint8_t)(request->op | OP_ANSWER),
        .status = (uint8_t)code,
        .session = request->session,
        .sequence = request->sequence,
        .length = length,
    };
    fw_link_send(&header, body);
}

void fw_protocol_busy(uint32_t milliseconds) {
    send_small(&state.answer, STATUS_BUSY, milliseconds, 4);
}

void fw_protocol_piece(uint32_t offset, const uint8_t *data, uint32_t length) {
    for (uint32_t sent = 0; sent < length;) {
        const uint32_t n = length - sent < LINK_DATA_BYTES ? length - sent : LINK_DATA_BYTES;
        writer payload = {.data = state.body + LINK_HEADER, .capacity = LINK_PAYLOAD};
        put_u32(&payload, offset + sent);
        put_bytes(&payload, data + sent, n);
        link_header header = state.answer;
        header.op = OP_READ | OP_ANSWER;
        header.length = (uint16_t)payload.length;
        fw_link_send(&header, state.body);
        sent += n;
    }
}

/* ---- Commands of the line ---- */

/* Magic, lowest and highest version the host speaks. */
static status hello(const uint8_t *request, uint32_t length, writer *answer) {
    if (length < 6 || memcmp(request, magic, sizeof magic) != 0 || state.session == 0)
        return STATUS_MALFORMED;
    const bool common = request[4] <= PROTOCOL_VERSION && request[5] >= PROTOCOL_VERSION;
    fw_transfer_abort();
    put_bytes(answer, magic, sizeof magic);
    put_u8(answer, common ? PROTOCOL_VERSION : 0);
    put_u8(answer, PROTOCOL_VERSION); /* lowest and highest version of this firmware */
    put_u8(answer, PROTOCOL_VERSION);
    put_u8(answer, PROTOCOL_CREDIT);
    put_u16(answer, LINK_PAYLOAD);
    put_u16(answer, PROTOCOL_SILENCE_MS);
    put_u16(answer, PROTOCOL_TRIAL_MS);
    return common ? STATUS_OK : STATUS_VERSION;
}

static status echo(const uint8_t *request, uint32_t length, writer *answer) {
    put_bytes(answer, request, length);
    return STATUS_OK;
}

/* The answer must still go out at the old rate, but only an attempt shows whether the peripheral can do the
 * new one: so there and back while the line is idle, then the answer, then there for good. */
static status baud(const uint8_t *request, uint32_t length, writer *answer) {
    if (length < 4) return STATUS_MALFORMED;
    const uint32_t rate = get_u32(request);
    if (rate == 0 || !hal_serial_set_baud(rate)) return STATUS_BAD_RATE;
    hal_serial_set_baud(state.baud);
    state.new_baud = rate;
    put_u32(answer, rate);
    return STATUS_OK;
}

static status reset(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    (void)answer;
    state.reset = true;
    return STATUS_OK;
}

static status execute(const link_header *header, const uint8_t *payload, writer *answer) {
    static const command line_commands[] = {
        {OP_HELLO, 6, hello},
        {OP_ECHO, 0, echo},
        {OP_BAUD, 4, baud},
        {OP_RESET, 0, reset},
    };
    if (header->op == OP_OPEN) return fw_transfer_open(header->sequence, payload, header->length, answer);
    const struct {
        const command *list;
        uint32_t count;
    } tables[2] = {{line_commands, sizeof line_commands / sizeof line_commands[0]},
                   {state.commands, state.n_commands}};
    for (uint32_t t = 0; t < 2; t++) {
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const command *c = &tables[t].list[i];
            if (c->op != header->op) continue;
            if (header->length < c->shortest) return STATUS_MALFORMED;
            return c->handler(payload, header->length, answer);
        }
    }
    return STATUS_UNKNOWN;
}

/* ---- Requests ---- */

/* What a request asked to be done once its answer is out; done again when the answer is repeated, because
 * then the host has not seen it. */
static void after_answer(void) {
    if (state.reset) {
        hal_serial_set_baud(state.baud); /* waits until the answer has left the wire */
        hal_reset();
    }
    if (state.new_baud && state.new_baud != state.baud) {
        state.previous_baud = state.baud;
        state.baud = state.new_baud;
        state.trial = true;
        hal_serial_set_baud(state.baud);
        fw_link_discard(); /* a request repeated at the old rate must not count as heard at the new one */
    }
}

static void answer_request(const link_header *header, const uint8_t *payload, uint32_t crc) {
    const bool is_hello = header->op == OP_HELLO;
    const bool known = header->session == state.session && state.session != 0;
    const uint16_t ahead = (uint16_t)(header->sequence - state.sequence);
    if (known && state.answered && ahead == 0 && crc == state.crc) {
        state.repeats++;
        fw_link_send(&state.answer, state.body);
        after_answer();
        return;
    }
    if (!is_hello && !known) {
        send_small(header, STATUS_NO_SESSION, 0, 0);
        return;
    }
    if (!is_hello && (ahead == 0 || ahead >= 0x8000u)) {
        send_small(header, STATUS_STALE, 0, 0);
        return;
    }
    if (header->op == OP_READ) {
        /* Many frames answer it, so it is not remembered: reading twice does no harm. */
        state.answered = false;
        const status code = fw_transfer_read(header, payload, state.body);
        if (code != STATUS_OK) send_small(header, code, 0, 0);
        return;
    }
    if (is_hello) state.session = header->session;
    state.sequence = header->sequence;
    state.crc = crc;
    state.new_baud = 0;
    state.answer = (link_header){
        .op = (uint8_t)(header->op | OP_ANSWER), .session = header->session, .sequence = header->sequence};
    writer answer = {.data = state.body + LINK_HEADER, .capacity = LINK_PAYLOAD};
    status code = execute(header, payload, &answer);
    if (code != STATUS_OK && code != STATUS_VERSION) answer.length = 0;
    if (is_hello && code != STATUS_OK) state.session = 0;
    state.answer.status = (uint8_t)code;
    state.answer.length = (uint16_t)answer.length;
    state.answered = true;
    fw_link_send(&state.answer, state.body);
    after_answer();
}

static void receive(const link_header *header, uint8_t *payload, uint32_t crc) {
    state.trial = false;
    if (header->op & OP_ANSWER) return; /* our own words, echoed by a shorted or half-duplex line */
    if (header->op == OP_DATA) {
        if (header->session == state.session && state.session != 0) {
            fw_transfer_data(header, payload);
        } else {
            send_small(header, STATUS_NO_SESSION, 0, 0);
        }
        return;
    }
    answer_request(header, payload, crc);
}

static void fall_back(uint32_t rate) {
    state.baud = rate;
    state.trial = false;
    hal_serial_set_baud(rate);
}

void fw_protocol_poll(void) {
    if (fw_link_poll(receive)) state.last_heard = hal_millis();
    if (state.baud == PROTOCOL_BAUD) return;
    const uint32_t silent = hal_millis() - state.last_heard;
    if (state.trial && silent > PROTOCOL_TRIAL_MS) {
        fall_back(state.previous_baud);
        state.last_heard = hal_millis();
    } else if (silent > PROTOCOL_SILENCE_MS) {
        fall_back(PROTOCOL_BAUD);
    }
}
