#include "link.h"

#include "bytes.h"
#include "cobs.h"
#include "crc32.h"
#include "hal.h"

#include <string.h>

static struct {
    _Alignas(4) uint8_t body[LINK_BODY];
    cobs_decoder decoder;
    link_counters counters;
    bool discard; /* drop what has arrived */
    link_tap tap;
    bool in_frame, framed; /* for the tap: behind a zero; behind a byte behind that */
} in;

void fw_link_init(void) {
    in.decoder.buffer = in.body;
    in.decoder.capacity = sizeof in.body;
    fw_cobs_restart(&in.decoder);
    in.discard = false;
    in.tap = NULL;
    fw_link_clear_statistics();
}

void fw_link_set_tap(link_tap tap) {
    in.tap = tap;
    in.in_frame = in.framed = false;
}

void fw_link_say(const char *text) {
    hal_serial_write((const uint8_t *)text, strlen(text));
}

/* Whether the byte is text and the tap has got it. */
static bool is_text(uint8_t byte) {
    if (!in.tap) return false;
    if (in.in_frame && byte) {
        in.framed = true;
        return false;
    }
    in.tap(byte);
    if (byte) return true;
    in.in_frame = !(in.in_frame && in.framed);
    in.framed = false;
    return false;
}

/* Checks the decoded frame; false: damaged. */
static bool accept_frame(link_receiver receive) {
    const size_t length = in.decoder.length;
    if (length < LINK_HEADER + LINK_CRC) return false;
    const uint32_t crc = fw_crc32(0, in.body, length - LINK_CRC);
    if (crc != get_u32(in.body + length - LINK_CRC)) return false;
    const link_header header = {
        .op = in.body[0],
        .status = in.body[1],
        .session = get_u16(in.body + 2),
        .sequence = get_u16(in.body + 4),
        .length = get_u16(in.body + 6),
    };
    if (header.length != length - LINK_HEADER - LINK_CRC) return false;
    in.counters.frames++;
    receive(&header, in.body + LINK_HEADER, crc);
    return true;
}

uint32_t fw_link_poll(link_receiver receive) {
    uint8_t chunk[64];
    uint32_t frames = 0;
    size_t got;
    while ((got = hal_serial_read(chunk, sizeof chunk)) > 0) {
        for (size_t i = 0; i < got; i++) {
            if (is_text(chunk[i])) continue;
            const cobs_event event = fw_cobs_take(&in.decoder, chunk[i]);
            if (event == COBS_MORE) continue;
            if (event == COBS_FRAME && accept_frame(receive)) {
                frames++;
            } else if (event == COBS_TOO_LONG) {
                in.counters.too_long++;
            } else if (event != COBS_NOTHING) {
                in.counters.corrupted++;
            }
            fw_cobs_restart(&in.decoder);
            if (in.discard) break;
        }
        if (in.discard) {
            while (hal_serial_read(chunk, sizeof chunk) > 0) {
            }
            in.discard = false;
        }
    }
    return frames;
}

void fw_link_discard(void) {
    in.discard = true;
}

void fw_link_send(const link_header *header, uint8_t *body) {
    writer head = {.data = body, .capacity = LINK_HEADER};
    put_u8(&head, header->op);
    put_u8(&head, header->status);
    put_u16(&head, header->session);
    put_u16(&head, header->sequence);
    put_u16(&head, header->length);
    uint32_t left = LINK_HEADER + header->length;
    writer tail = {.data = body + left, .capacity = LINK_CRC};
    put_u32(&tail, fw_crc32(0, body, left));
    left += LINK_CRC;

    /* COBS straight from the body, block by block: no second buffer. The leading zero ends whatever a reader
     * has collected from noise. */
    static const uint8_t separator = 0;
    hal_serial_write(&separator, 1);
    for (bool last = false; !last;) {
        const size_t run = fw_cobs_block(body, left);
        const uint8_t code = (uint8_t)(run + 1);
        hal_serial_write(&code, 1);
        hal_serial_write(body, run);
        body += run;
        left -= (uint32_t)run;
        last = left == 0;
        if (!last &&
            run < 254) { /* this zero is the code's; if the data ends with it, an empty block follows */
            body++;
            left--;
        }
    }
    hal_serial_write(&separator, 1);
}

const link_counters *fw_link_statistics(void) {
    return &in.counters;
}

void fw_link_clear_statistics(void) {
    in.counters = (link_counters){0, 0, 0};
}
